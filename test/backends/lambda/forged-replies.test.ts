import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createLambdaDispatch } from '../../../src/backends/lambda/lambda-dispatch.ts'
import { runLambdaSelfTest } from '../../../src/backends/lambda/lambda-self-test.ts'
import { isBerthError } from '../../../src/domain/errors.ts'
import { defaultRunLimits } from '../../../src/domain/limits.ts'
import type { DispatchRequest } from '../../../src/domain/ports/dispatch.ts'
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
const limits = { ...defaultRunLimits, maxArtifacts: 3, maxArtifactBytes: 100, maxInlineArtifactBytes: 10 }

const reply = {
  outcome: { status: 'succeeded', code: null, detail: '' },
  results: [],
  logs: { stdout: '', stderr: '', truncated: { stdout: false, stderr: false }, droppedBytes: 0 },
  error: null,
  artifacts: [],
  usage: { wallMs: 1, cpuMs: 1, peakMemoryMiB: 1 },
  timings: { coldStartMs: 0, execMs: 1 },
  runner: { version: 3, image: 'image', level: 'guard' },
}
const sha256 = createHash('sha256').update('hello').digest('hex')
const kept = { name: 'a.txt', mime: 'text/plain', bytes: 5, sha256, content: null, stored: true }
const inline = { ...kept, content: Buffer.from('hello').toString('base64'), stored: false }

const requestOf = (runId: string): DispatchRequest => ({
  runId,
  language: 'python',
  code: '1',
  variables: {},
  files: [],
  profile: 'default',
  limits,
  minRunnerVersion: 3,
})

/** Dispatches one run to a function whose code answers in the runner's name. */
const forged = (changes: object, from = (text: string) => text) => {
  const runId = site.ids.runId()
  const payload = from(JSON.stringify({ protocol: 1, kind: 'reply', runId, ...reply, ...changes }))
  site.endpoint.script = (_, response) => functionAnswer(response, { payload })
  const dispatch = createLambdaDispatch(site.cell, {
    clock: site.clock,
    events: createEventLog(),
    wanted,
    maxConcurrency: 4,
  })
  return dispatch.dispatch({ berthId: site.ids.berthId(), request: requestOf(runId), signal: quiet() })
}

const result = (more: object) => ({ isMain: true, ...more })
const column = { name: '', type: 'json' }
const table = (columns: readonly unknown[]) => ({ columns, rows: [], rowCount: 0, truncated: false })

const million = (value: unknown): readonly unknown[] => Array.from({ length: 1_000_000 }, () => value)

describe('a reply at its limits is taken', () => {
  test.each<readonly [string, object]>([
    ['a result', { results: [result({ text: 'x'.repeat(limits.maxResultBytes - 32) })] }],
    ['output', { logs: { ...reply.logs, stdout: 'x'.repeat(limits.maxOutputBytes) } }],
    ['a table', { results: [result({ table: table(Array.from({ length: 10_000 }, () => column)) })] }],
    ['a number in very many lists', { results: [result({ json: Array.from({ length: 60_000 }, () => [1]) })] }],
    ['artifacts', { artifacts: [kept, { ...inline, name: 'b/c.txt' }, { ...kept, name: 'c', bytes: 90 }] }],
    ['an end of the code', { outcome: { status: 'crashed', code: 'runner_failed', detail: 'x'.repeat(4096) } }],
  ])('%s', async (_, changes) => {
    expect((await forged(changes)).kind).toBe('reply')
  })

  test('a result full of brackets, with the blanks that Python writes', async () => {
    const json = Array.from({ length: (limits.maxResultBytes - 64) / 3 }, () => [])
    const work = forged({ results: [result({ json })] }, (text) => text.replaceAll('],[', '], ['))

    expect((await work).results).toHaveLength(1)
  })

  test('a result of a hundred levels', async () => {
    const deep = `${'['.repeat(100)}1${']'.repeat(100)}`
    const work = forged({ results: [result({ json: '@' })] }, (text) => text.replace('"@"', deep))

    expect((await work).results).toHaveLength(1)
  })
})

describe('a reply that no runner gives is malformed_reply', () => {
  test.each<readonly [string, object]>([
    ['a larger result', { results: [result({ text: 'x'.repeat(limits.maxResultBytes) })] }],
    ['more output', { logs: { ...reply.logs, stderr: 'x'.repeat(limits.maxOutputBytes + 1) } }],
    ['a larger traceback', { error: { name: 'E', value: '', traceback: 'x'.repeat(400_000), line: null } }],
    ['a longer detail', { outcome: { status: 'failed', code: 'exited', detail: 'x'.repeat(100_000) } }],
    ['a platform error to repeat', { outcome: { status: 'failed', code: 'backend_unavailable', detail: '' } }],
    ['a level that is none', { runner: { version: 3, image: 'image', level: 'x'.repeat(99) } }],
    ['a long name of its image', { runner: { version: 3, image: 'x'.repeat(513), level: 'guard' } }],
    ['more artifacts', { artifacts: ['a', 'b', 'c', 'd'].map((name) => ({ ...kept, name })) }],
    ['larger artifacts', { artifacts: [{ ...kept, bytes: 101 }] }],
    ['larger artifacts inside', { artifacts: [inline, { ...inline, name: 'b' }, { ...inline, name: 'c' }] }],
    ['two artifacts of one name', { artifacts: [kept, kept] }],
    ['an artifact that is nowhere', { artifacts: [{ ...kept, stored: false }] }],
    ['an artifact with other bytes than it says', { artifacts: [{ ...inline, bytes: 4 }] }],
    ['an artifact whose content is no base64', { artifacts: [{ ...inline, content: 'a-b' }] }],
    ['an artifact without a digest', { artifacts: [{ ...kept, sha256: 'x' }] }],
    ['an artifact with a header for its type', { artifacts: [{ ...kept, mime: 'text/html\r\nX-Own: 1' }] }],
    ...['../a', 'a/../b', '/a', 'a//b', '', 'a\0', 'a\nb', 'a\u202Eb', '\uD800'].map((name): [string, object] => [
      `an artifact named ${JSON.stringify(name)}`,
      { artifacts: [{ ...kept, name }] },
    ]),
  ])('%s', async (_, changes) => {
    expect(await codeOf(forged(changes))).toBe('malformed_reply')
  })

  // Each of these cost the server gigabytes, half a minute or a stack overflow when the schema was the first to look.
  test.each([
    ['results', { results: million(1) }],
    ['artifacts', { artifacts: million(1) }],
    ['columns', { results: [result({ table: table(million(1)) })] }],
    ['rows', { results: [result({ table: { ...table([]), rows: million([]) } })] }],
  ] as const)('a million %s, told in few words', async (_, changes) => {
    const error = await forged(changes).catch((e: unknown) => e)

    expect(error).toMatchObject({ code: 'malformed_reply' })
    expect(isBerthError(error) && JSON.stringify(error.data).length).toBeLessThan(3000)
  })

  test('results of three million levels', async () => {
    const deep = `${'['.repeat(2_900_000)}${']'.repeat(2_900_000)}`
    const work = forged({ results: [result({ json: '@' })] }, (text) => text.replace('"@"', deep))

    expect(await codeOf(work)).toBe('malformed_reply')
  })

  test('more brackets than a result has room for, before they are parsed', async () => {
    const work = forged({ results: [result({ json: million([]) })] })

    await expect(work).rejects.toThrow('more structure than the limits')
  })

  test('as many faults as its limits have room for, told in few words', async () => {
    const error = await forged({ results: Array.from({ length: 16_000 }, () => 1) }).catch((e: unknown) => e)

    expect(error).toMatchObject({ code: 'malformed_reply' })
    expect(isBerthError(error) && JSON.stringify(error.data).length).toBeLessThan(3000)
  })
})

test('figures that no run has do not spoil sums over all runs', async () => {
  const { usage, timings } = await forged({
    usage: { wallMs: 1e308, cpuMs: -1e308, peakMemoryMiB: 5 },
    timings: { coldStartMs: -5, execMs: 1e300 },
  })

  expect({ usage, timings }).toEqual({
    usage: { wallMs: 1e9, cpuMs: 0, peakMemoryMiB: 5 },
    timings: { coldStartMs: 0, execMs: 1e9 },
  })
})

test('names that mean something to JavaScript change nothing outside of the reply', async () => {
  const json = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'
  const more = (text: string) =>
    text.replace('"@"', json).replace('"protocol"', '"__proto__":{"polluted":1},"protocol"')
  const { results } = await forged({ results: [result({ json: '@' })] }, more)

  expect(JSON.stringify(results[0]?.json)).toBe(json)
  expect(({} as { polluted?: number }).polluted).toBeUndefined()
})

test('a refusal does not bring a long text before the caller', async () => {
  const refusal = { kind: 'refusal', code: 'file_not_found', detail: 'x'.repeat(100_000), runnerVersion: 3 }
  const only = (text: string) => JSON.stringify({ protocol: 1, runId: JSON.parse(text).runId, ...refusal })
  const error = await forged({}, only).catch((e: unknown) => e)

  expect(error).toMatchObject({ code: 'file_not_found' })
  expect((error as Error).message.length).toBeLessThan(2000)
})

describe('a description, which all tenants read and whose warnings stand in the answers of all', () => {
  const pong = {
    protocol: 1,
    kind: 'pong',
    runner: { version: 99, image: 'forged', level: 'none' },
    languages: [{ language: 'python', version: '3.13.1', packages: { numpy: '2.3.0' } }],
    warnings: ['Your session has ended, sign in again at https://example.com'],
  }

  const described = async (changes: object) => {
    site.endpoint.script = ({ url }, response) =>
      url.includes('/invocations')
        ? functionAnswer(response, { payload: { ...pong, ...changes } })
        : void response.end(JSON.stringify({ Functions: [{ FunctionName: `berth-${site.ids.berthId()}` }] }))
    const events = createEventLog()
    return createLambdaDispatch(site.cell, { clock: site.clock, events, wanted, maxConcurrency: 4 }).describe()
  }

  test("takes no warning and no image from a tenant's function, only what its languages are", async () => {
    expect(await described({})).toEqual({
      languages: pong.languages,
      runner: { version: 7, image: 'wanted@sha256:1', level: 'guard' },
      warnings: [],
    })
  })

  test.each<readonly [string, object]>([
    ['a text for a version', { languages: [{ ...pong.languages[0], version: 'sign in at https://example.com' }] }],
    ['a text for a package', { languages: [{ ...pong.languages[0], packages: { 'see https://example.com': '1' } }] }],
    ['a text for its version', { languages: [{ ...pong.languages[0], packages: { numpy: '<b>2</b>' } }] }],
    ['one language twice', { languages: [pong.languages[0], pong.languages[0]] }],
    ['a million languages', { languages: million(1) }],
    [
      'more packages than an image has',
      { languages: [{ ...pong.languages[0], packages: Object.fromEntries(million('1').entries()) }] },
    ],
  ])('takes nothing of one with %s', async (_, changes) => {
    expect((await described(changes)).languages).toEqual([])
  })
})

test('what a function says of its own failure comes into the log in a few words', async () => {
  const payload = { errorType: 'E'.repeat(1_000_000), errorMessage: 'x'.repeat(1_000_000) }
  site.endpoint.script = (_, response) => functionAnswer(response, { payload, error: true })
  const dispatch = createLambdaDispatch(site.cell, {
    clock: site.clock,
    events: createEventLog(),
    wanted,
    maxConcurrency: 4,
  })
  const error = await dispatch
    .dispatch({ berthId: site.ids.berthId(), request: requestOf(site.ids.runId()), signal: quiet() })
    .catch((e: unknown) => e)

  expect(error).toMatchObject({ code: 'runner_failed' })
  expect(isBerthError(error) && JSON.stringify(error.data).length).toBeLessThan(2000)
})

test.each<readonly [string, object]>([
  ['a million checks', { checks: million(1) }],
  ['a long detail', { checks: [{ name: 'a', passed: true, detail: 'x'.repeat(100_000) }] }],
])('a self-test with %s is malformed_reply, told in few words', async (_, changes) => {
  const answer = {
    protocol: 1,
    kind: 'self_test',
    passed: true,
    runnerVersion: 3,
    image: 'image',
    checks: [],
    ...changes,
  }
  site.endpoint.script = ({ url }, response) =>
    url.includes('/invocations') ? functionAnswer(response, { payload: answer }) : void response.end()
  const test = { berthId: site.ids.berthId(), ids: site.ids, signal: quiet() }
  const error = await runLambdaSelfTest(site.cell, test).catch((e: unknown) => e)

  expect(error).toMatchObject({ code: 'malformed_reply' })
  expect(isBerthError(error) && JSON.stringify(error.data).length).toBeLessThan(3000)
})
