/** The server in a process of its own, with the settings of its environment. */
import { parseConfig } from '../../src/main/config.ts'
import { serve } from '../../src/main/serve.ts'

await serve(parseConfig(process.env))
