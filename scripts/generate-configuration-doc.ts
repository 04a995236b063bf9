/** Writes docs/configuration.md from the configuration's schema. A test compares the two. */
import { writeFileSync } from 'node:fs'
import { configurationDoc } from '../src/main/configuration-doc.ts'

writeFileSync(new URL('../docs/configuration.md', import.meta.url), configurationDoc())
