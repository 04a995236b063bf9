/**
 * From sign-up to result on this machine, narrated. `--json` prints one JSON line per step and the sum as the last line.
 * Exit code 0 only when everything went as promised.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { isBerthError } from '../src/domain/errors.ts'
import { compose } from '../src/main/compose.ts'
import { parseConfig } from '../src/main/config.ts'
import { createJsonNarrator, createPersonNarrator, type Narrator } from './quickstart/narrate.ts'
import { type StoryResult, tellStory } from './quickstart/story.ts'

const usage = 'usage: npm run quickstart [-- --json]'

const readArgs = () => {
  try {
    return parseArgs({ options: { json: { type: 'boolean', default: false } } }).values
  } catch (error) {
    console.error(`quickstart: ${error instanceof Error ? error.message : String(error)}\n${usage}`)
    return process.exit(2)
  }
}

const values = readArgs()
const root = resolve(import.meta.dirname, '..')
const dataDir = join(root, '.berth', 'quickstart')

const whatNext = ({ chart }: StoryResult): string => `
That was Berth. Look at the chart: ${relative(process.cwd(), chart)}

What to try next
  npx berth serve                          a server of your own; it prints where its key is
  npx berth doctor                         what this machine offers
  and, while that server runs, in a second terminal:
  npx berth run scripts/quickstart/penguins.py --tenant alice --project demo --file scripts/quickstart/penguins.csv
  docs/api.md                              the API in five minutes; the server has it at /docs too
`

const play = async (tell: Narrator): Promise<StoryResult> => {
  mkdirSync(dataDir, { recursive: true })
  const hookSecret = `whsec_${randomBytes(32).toString('base64')}`
  const config = parseConfig({
    BERTH_DATA_DIR: dataDir,
    BERTH_PORT: '0',
    BERTH_HOOK_SECRETS: hookSecret,
    BERTH_LOG_LEVEL: 'silent',
  })
  tell.step('A Berth server starts on this machine')
  await using berth = await compose(config)
  tell.done(berth.url, { url: berth.url })
  const operatorKeyPath = join(dataDir, 'operator.key')
  const operatorKey = readFileSync(operatorKeyPath, 'utf8').trim()
  const result = await tellStory({ url: berth.url, hookSecret, operatorKey, operatorKeyPath, outDir: dataDir }, tell)
  if (!values.json) tell.line(whatNext(result))
  return result
}

const tell = values.json ? createJsonNarrator() : createPersonNarrator()
const startedAt = performance.now()
try {
  const result = await play(tell)
  tell.end({ ...result, totalMs: Math.round(performance.now() - startedAt) })
} catch (error) {
  const code = isBerthError(error) ? error.code : 'broken_promise'
  const detail = error instanceof Error ? error.message : String(error)
  if (!values.json) console.error(`\nquickstart: ${detail}`)
  tell.end({ ok: false, code, detail })
  process.exitCode = 1
}
