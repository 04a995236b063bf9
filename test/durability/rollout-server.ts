/** `berth serve` with a runner's folder of the test's own, where it installs releases: the real one lies in the package. */
import { compose } from '../../src/main/compose.ts'
import { parseConfig } from '../../src/main/config.ts'

const config = parseConfig(process.env)
const local = { ...config.local, runnerDir: process.argv[2] ?? '' }
const server = await compose({ ...config, local })
process.once('SIGTERM', () => void server.stop())
