import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDispatcher, type Dispatcher } from '../../src/dispatcher/dispatcher.ts'
import { type Run, type RunRequest, runRequestSchema } from '../../src/domain/run.ts'
import { createProvisioner } from '../../src/provisioner/provisioner.ts'
import { openSqliteStore } from '../../src/store/open-sqlite-store.ts'
import { makeBackend } from '../backends/local/subject.ts'
import { quiet } from '../contract/content.ts'
import { ask } from '../support/dispatch-site.ts'
import { createEventLog } from '../support/event-log.ts'
import { WHOLE_PYTHON } from '../support/light-python.ts'
import { clock } from '../support/provisioning-site.ts'

const resources = new AsyncDisposableStack()
let backend: Awaited<ReturnType<typeof makeBackend>>
let dispatcher: Dispatcher

beforeAll(async () => {
  backend = resources.use(await makeBackend({ python: WHOLE_PYTHON }))
  const store = resources.use(await openSqliteStore({ dataDir: backend.dataDir, clock }))
  const deps = { store, clock, ids: backend.ids, events: createEventLog() }
  const { berths, dispatch, fleet, files } = backend
  const provisioner = createProvisioner(
    { ...deps, berths, fleet },
    { pickCell: async () => 'home', spares: 0, maxBerths: 10 },
  )
  dispatcher = resources.use(createDispatcher({ ...deps, dispatch, fleet, files, berths: provisioner }, {}))
  for (const worker of [provisioner, dispatcher]) {
    const stopping = new AbortController()
    const ended = worker.start(stopping.signal)
    resources.defer(async () => {
      stopping.abort()
      await ended
    })
  }
})
afterAll(() => resources.disposeAsync())

const score = {
  type: 'object',
  required: ['score'],
  properties: { score: { type: 'number', minimum: 0, maximum: 1 } },
} as const

/** As the body of a request is read. */
const requestOf = (code: string, changes: Partial<RunRequest> = {}): RunRequest =>
  runRequestSchema.parse({ language: 'python', code, profile: 'evaluator', ...changes })
const evaluate = async (code: string, changes: Partial<RunRequest> = {}): Promise<Run> =>
  (await dispatcher.run(ask({ request: requestOf(code, changes) }))).run
const codeOf = async (code: string, changes: Partial<RunRequest> = {}) =>
  (await evaluate(code, changes)).failure?.code ?? 'succeeded'

test.each([
  ['python', 'def main(variables):\n    return {"score": len(variables["text"]) / 4}'],
  ['typescript', 'export default ({ text }: { text: string }) => ({ score: text.length / 4 })'],
] as const)('a check in %s takes JSON and gives JSON that fits the schema', async (language, code) => {
  const run = await evaluate(code, { language, variables: { text: 'abc' }, resultSchema: score })

  expect(run).toMatchObject({ status: 'succeeded', failure: null, artifacts: [] })
  expect(run.results.find(({ isMain }) => isMain)?.json).toEqual({ score: 0.75 })
})

test.each([
  ['python', '{"score": 1.5}'],
  ['typescript', 'export default { score: 1.5 }'],
] as const)('a result of %s that does not fit has failed, with the place', async (language, code) => {
  const run = await evaluate(code, { language, resultSchema: score })

  expect(run).toMatchObject({
    status: 'failed',
    error: null,
    failure: { code: 'result_mismatch', category: 'user', detail: '/score: expected maximum 1, got 1.5' },
    results: [{ json: { score: 1.5 } }],
  })
})

test('an asynchronous run is checked too', async () => {
  const { run, tenantId } = await dispatcher.submit(ask({ request: requestOf('{}', { resultSchema: score }) }))
  const events = dispatcher.events(tenantId, run.id, { lastEventId: null, signal: quiet() })

  for await (const _ of events);

  expect((await dispatcher.get(tenantId, run.id)).run.failure).toMatchObject({
    code: 'result_mismatch',
    detail: 'the result: expected a property "score", got an object',
  })
})

test('another profile is checked as well: a table is no JSON', async () => {
  const code = 'import pandas as pd\npd.DataFrame({"a": [1]})'

  expect(await codeOf(code, { profile: 'default', resultSchema: {} })).toBe('result_mismatch')
  expect(await codeOf(code, { profile: 'default' })).toBe('succeeded')
})

test('a result that is no JSON, and none at all, are failures', async () => {
  expect(await codeOf('{1, 2}')).toBe('result_not_serializable')
  expect(await codeOf('x = 1')).toBe('result_not_serializable')
  expect(await codeOf('x = 1', { profile: 'default' })).toBe('succeeded')
})

test('a file that it writes is told, and kept nowhere', async () => {
  const code = 'open("outputs/a.txt", "w").write("a")\n1'

  const run = await evaluate(code)

  expect(run).toMatchObject({ status: 'failed', failure: { code: 'artifacts_too_large' }, artifacts: [] })
  expect(await codeOf(code, { profile: 'default' })).toBe('succeeded')
})

test('it ends after its two seconds and within its 128 MiB', async () => {
  const loop = await evaluate('while True: pass')

  expect(loop).toMatchObject({ status: 'timed_out', failure: { code: 'timeout' } })
  expect(loop.usage.wallMs).toBeGreaterThanOrEqual(2000)
  expect(await codeOf('len(bytearray(100 << 20))')).toBe('succeeded')
  expect(await codeOf('len(bytearray(128 << 20))')).toBe('out_of_memory')
})
