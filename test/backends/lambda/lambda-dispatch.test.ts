import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createLambdaDispatch } from '../../../src/backends/lambda/lambda-dispatch.ts'
import type { BerthId } from '../../../src/domain/ids.ts'
import { defaultRunLimits } from '../../../src/domain/limits.ts'
import type { DispatchRequest } from '../../../src/domain/ports/dispatch.ts'
import { isBerthError } from '../../../src/domain/errors.ts'
import { codeOf, quiet } from '../../contract/content.ts'
import { createEventLog } from '../../support/event-log.ts'
import { functionAnswer, openScriptedCell, type ScriptedCell } from './scripted-endpoint.ts'

let site: ScriptedCell
beforeAll(async () => {
  site = await openScriptedCell()
})
afterAll(() => site?.[Symbol.asyncDispose]())
beforeEach(() => void site.endpoint.asked.splice(0))

const wanted = async () => ({ image: 'wanted@sha256:1', version: 7 })

const makeDispatch = () => {
  const log = createEventLog()
  return {
    log,
    dispatch: createLambdaDispatch(site.cell, { clock: site.clock, events: log, wanted, maxConcurrency: 4 }),
  }
}

const requestOf = (more: Partial<DispatchRequest> = {}): DispatchRequest => ({
  runId: site.ids.runId(),
  language: 'python',
  code: '1',
  variables: {},
  files: [],
  profile: 'default',
  limits: defaultRunLimits,
  minRunnerVersion: 3,
  ...more,
})

const replyTo = (runId: string) => ({
  protocol: 1,
  kind: 'reply',
  runId,
  outcome: { status: 'succeeded', code: null, detail: '' },
  results: [],
  logs: { stdout: '', stderr: '', truncated: { stdout: false, stderr: false }, droppedBytes: 0 },
  error: null,
  artifacts: [],
  usage: { wallMs: 1, cpuMs: 1, peakMemoryMiB: 1 },
  timings: { coldStartMs: 0, execMs: 1 },
  runner: { version: 3, image: 'image', level: 'guard' },
})
const refusalOf = (runId: string, code = 'runner_failed', runnerVersion = 3) => ({
  protocol: 1,
  kind: 'refusal',
  runId,
  code,
  detail: 'no',
  runnerVersion,
})

interface Answered {
  readonly payload: unknown
  readonly error?: boolean
  readonly tail?: string
}

/** Dispatches one run to a function that answers so. */
const answered = (request: DispatchRequest, answer: Answered) => {
  site.endpoint.script = (_, response) => functionAnswer(response, answer)
  const { dispatch, log } = makeDispatch()
  return { log, work: dispatch.dispatch({ berthId: site.ids.berthId(), request, signal: quiet() }) }
}

test("the event carries the run and the berth's own prefixes, and no other", async () => {
  const [berthId, request] = [site.ids.berthId(), requestOf({ files: ['a.csv'] })]
  site.endpoint.script = (_, response) => functionAnswer(response, { payload: replyTo(request.runId) })

  await makeDispatch().dispatch.dispatch({ berthId, request, signal: quiet() })

  expect(JSON.parse(site.endpoint.asked[0]?.body ?? '')).toEqual({
    protocol: 1,
    kind: 'run',
    ...request,
    prefix: {
      kind: 's3',
      bucket: 'berth-bucket',
      files: `berths/${berthId}/files/`,
      run: `berths/${berthId}/runs/${request.runId}/`,
    },
  })
})

test.each([
  ['../b', 'r'.repeat(24)],
  ['baaaaaaaaaaaaaaa', '../../x'],
])('ids that are none (%s, %s) never become a name or a key', async (berthId, runId) => {
  const { dispatch } = makeDispatch()
  const work = dispatch.dispatch({ berthId: berthId as BerthId, request: requestOf({ runId }), signal: quiet() })

  expect(await codeOf(work)).toBe('invalid_request')
  expect(site.endpoint.asked).toEqual([])
})

describe('an answer that makes no sense', () => {
  test.each([
    ['is no JSON', 'not json'],
    ['is empty', ''],
    ['is null', 'null'],
    ['is a list', '[]'],
    ['has another kind', '{"kind":"pong"}'],
    ['is cut', '{"protocol":1,"kind":"reply"'],
  ])('because it %s is malformed_reply', async (_, payload) => {
    expect(await codeOf(answered(requestOf(), { payload }).work)).toBe('malformed_reply')
    expect(site.endpoint.asked).toHaveLength(1)
  })

  test('because it belongs to another run is malformed_reply', async () => {
    const { work } = answered(requestOf(), { payload: replyTo(site.ids.runId()) })

    expect(await codeOf(work)).toBe('malformed_reply')
  })
})

describe("an answer in the runner's name by code that has got hold of its function", () => {
  test('that is a reply with the marks of a refusal stays a reply', async () => {
    const request = requestOf()
    const payload = { ...replyTo(request.runId), code: 'runner_outdated', runnerVersion: 1, detail: 'forged' }

    expect((await answered(request, { payload }).work).outcome.status).toBe('succeeded')
  })

  test('that refuses another run is not taken for a refusal of this one', async () => {
    const error = await answered(requestOf(), { payload: refusalOf(site.ids.runId()) }).work.catch((e: unknown) => e)

    // Without a runner's version: the dispatcher takes that for the mark of a run that has not started.
    expect(error).toMatchObject({ code: 'malformed_reply', data: expect.not.objectContaining({ runnerVersion: 3 }) })
  })

  test('that claims to be behind the fence and is not does not have the berth updated', async () => {
    const request = requestOf()
    const { work } = answered(request, { payload: refusalOf(request.runId, 'runner_outdated', 3) })

    expect(await codeOf(work)).toBe('malformed_reply')
  })

  test('that comes from behind the fence is no reply, for such a runner refuses', async () => {
    const request = requestOf({ minRunnerVersion: 4 })

    expect(await codeOf(answered(request, { payload: replyTo(request.runId) }).work)).toBe('malformed_reply')
  })
})

test.each([
  ['runner_outdated', 2, 'runner_outdated'],
  ['runner_failed', 3, 'runner_failed'],
  ['file_not_found', 3, 'file_not_found'],
  ['malformed_request', 3, 'internal'],
] as const)(
  'an honest refusal %s of version %d is %s, with the mark that nothing started',
  async (code, version, as) => {
    const request = requestOf()
    const error = await answered(request, { payload: refusalOf(request.runId, code, version) }).work.catch(
      (e: unknown) => e,
    )

    expect(error).toMatchObject({ code: as, data: { runnerVersion: version } })
  },
)

const text = (extra = '') =>
  `START RequestId: 1\nREPORT RequestId: 1\tDuration: 3004.50 ms\tBilled Duration: 3100 ms\tMemory Size: 1024 MB\tMax Memory Used: 300 MB\tInit Duration: 812.25 ms\t\n${extra}`
const json = (metrics: object) =>
  `${JSON.stringify({ type: 'platform.report', record: { metrics, status: 'error' } })}\n`
const killed = {
  errorType: 'Runtime.ExitError',
  errorMessage: 'RequestId: 1 Error: Runtime exited with error: signal: killed',
}

describe('a run whose function the platform ended', () => {
  test.each([
    ['in the old words', { errorMessage: '2026-11-22T10:00:00Z 1 Task timed out after 3.00 seconds' }],
    [
      'in the new words',
      { errorType: 'Sandbox.Timedout', errorMessage: 'RequestId: 1 Error: Task timed out after 3.00 seconds' },
    ],
  ])('at its time-out (%s) has timed out, with the figures of the platform and no output', async (_, payload) => {
    const request = requestOf()
    const { work, log } = answered(request, { payload, error: true, tail: text() })

    expect(await work).toMatchObject({
      runId: request.runId,
      outcome: { status: 'timed_out', code: 'timeout' },
      logs: { stdout: '', stderr: '' },
      usage: { wallMs: 3004.5, peakMemoryMiB: 300 },
      timings: { coldStartMs: 812.25, execMs: 3004.5 },
    })
    expect(log.events.map(({ code, runId }) => ({ code, runId }))).toEqual([
      { code: 'run.ended_by_platform', runId: request.runId },
    ])
  })

  test.each([
    [
      'used all its memory',
      killed,
      json({ memorySizeMB: 1024, maxMemoryUsedMB: 1024, durationMs: 5 }),
      'out_of_memory',
    ],
    ['was killed, who knows why', killed, undefined, 'out_of_memory'],
    ['was killed with memory to spare', killed, text(), 'crashed'],
    ['ran out of memory by name', { errorType: 'Runtime.OutOfMemory', errorMessage: 'x' }, text(), 'out_of_memory'],
    [
      'exited',
      { errorType: 'Runtime.ExitError', errorMessage: 'RequestId: 1 Error: Runtime exited with error: exit status 1' },
      text(),
      'crashed',
    ],
  ])('because it %s has crashed as %s', async (_, payload, tail, code) => {
    const { work } = answered(requestOf(), { payload, error: true, ...(tail === undefined ? {} : { tail }) })

    expect((await work).outcome).toMatchObject({ status: 'crashed', code })
  })

  test('because its reply was too large has failed with result_too_large', async () => {
    const payload = { errorType: 'Function.ResponseSizeTooLarge', errorMessage: 'Response payload size exceeded' }

    expect((await answered(requestOf(), { payload, error: true }).work).outcome).toMatchObject({
      status: 'failed',
      code: 'result_too_large',
    })
  })

  test.each([
    ['an exception of the runner', { errorType: 'KeyError', errorMessage: "'x'", stackTrace: [] }, text()],
    ['a runner that cannot be loaded', { errorType: 'Runtime.ImportModuleError', errorMessage: 'x' }, text()],
    ['an image without an entry', { errorType: 'Runtime.InvalidEntrypoint', errorMessage: 'x' }, undefined],
    [
      'a runner that broke before it took the request',
      { errorType: 'Runtime.ExitError', errorMessage: 'exit status 1' },
      `INIT_REPORT Init Duration: 10.00 ms\tPhase: invoke\tStatus: error\tError Type: Runtime.ExitError\n${text()}`,
    ],
    [
      'a runner that broke before it took the request, in JSON',
      { errorType: 'Runtime.ExitError', errorMessage: 'exit status 1' },
      '{"type":"platform.initReport","record":{"status":"error"}}\n',
    ],
    ['no words at all', 'null', undefined],
  ])("by %s is Berth's failure and not the code's", async (_, payload, tail) => {
    const { work } = answered(requestOf(), { payload, error: true, ...(tail === undefined ? {} : { tail }) })
    const error = await work.catch((e: unknown) => e)

    expect(isBerthError(error) && error.code).toBe('runner_failed')
    expect(isBerthError(error) && 'runnerVersion' in error.data).toBe(false)
  })

  test('tells the log nothing that its code printed', async () => {
    const { work, log } = answered(requestOf(), {
      payload: killed,
      error: true,
      tail: `secret\nREPORT RequestId: 9\tDuration: 1.00 ms\tMemory Size: 1 MB\tMax Memory Used: 1 MB\n${text('secret')}`,
    })

    // The platform's line is the last; one that code made up before it changes nothing.
    expect((await work).usage.wallMs).toBe(3004.5)
    expect(JSON.stringify(log.events)).not.toContain('secret')
  })
})

describe('a description', () => {
  const about = {
    protocol: 1,
    kind: 'pong',
    runnerVersion: 3,
    image: 'image',
    runner: { version: 3, image: 'image', level: 'guard' },
    languages: [{ language: 'python', version: '3.13', packages: { numpy: '2' } }],
    warnings: [],
  }

  test('is asked of one berth, once for many readers, and then known', async () => {
    const berthId = site.ids.berthId()
    const { dispatch } = makeDispatch()
    site.endpoint.script = ({ url }, response) =>
      url.includes('/invocations')
        ? functionAnswer(response, { payload: about })
        : void response.end(
            JSON.stringify({ Functions: [{ FunctionName: 'other' }, { FunctionName: `berth-${berthId}` }] }),
          )

    const [first, second] = await Promise.all([dispatch.describe(), dispatch.describe()])
    await dispatch.describe()

    expect(first).toMatchObject({ languages: about.languages, runner: { version: 7, image: 'wanted@sha256:1' } })
    expect(second).toEqual(first)
    expect(site.endpoint.asked.map(({ url }) => url.split('?')[0])).toEqual([
      '/2015-03-31/functions',
      `/2015-03-31/functions/berth-${berthId}/invocations`,
    ])
  })

  test('asks the berth that has answered last', async () => {
    const [berthId, request] = [site.ids.berthId(), requestOf()]
    const { dispatch } = makeDispatch()
    site.endpoint.script = ({ body }, response) =>
      functionAnswer(response, { payload: body.includes('"ping"') ? about : replyTo(request.runId) })
    await dispatch.dispatch({ berthId, request, signal: quiet() })

    expect((await dispatch.describe()).languages).toEqual(about.languages)
    expect(site.endpoint.asked.map(({ url }) => url)).toEqual(
      Array.from({ length: 2 }, () => `/2015-03-31/functions/berth-${berthId}/invocations`),
    )
  })

  test.each([
    ['there is no berth', '{"Functions":[]}', about],
    ['the berth is older than the question', undefined, refusalOf('', 'malformed_request')],
  ])('says what the wanted image is when %s', async (_, functions, payload) => {
    const { dispatch } = makeDispatch()
    const listed = functions ?? JSON.stringify({ Functions: [{ FunctionName: `berth-${site.ids.berthId()}` }] })
    site.endpoint.script = ({ url }, response) =>
      url.includes('/invocations') ? functionAnswer(response, { payload }) : void response.end(listed)

    expect(await dispatch.describe()).toEqual({
      languages: [],
      runner: { version: 7, image: 'wanted@sha256:1', level: 'unknown' },
      warnings: [],
    })
  })
})
