import { describe, expect, test } from 'vitest'
import { defaultRunLimits } from '../../src/domain/limits.ts'
import { assertPayload, checkRequest } from '../../src/dispatcher/check-request.ts'
import type { RunRequest } from '../../src/domain/run.ts'
import { python } from '../support/dispatch-site.ts'

const ceilings = { limits: { ...defaultRunLimits, maxSourceBytes: 12 }, maxTimeoutMs: 40_000, maxMemoryMiB: 1024 }
const check = (changes: Parameters<typeof python>[0], files = true) =>
  checkRequest(python(changes), ceilings, { files })
const evaluator = (changes: Partial<RunRequest>): Partial<RunRequest> => ({ profile: 'evaluator', ...changes })
const codeOf = (work: () => unknown): unknown => {
  try {
    work()
    return 'passed'
  } catch (error) {
    return (error as { code: unknown }).code
  }
}

const requestOf = (maxPayloadBytes: number) => ({
  runId: 'r1',
  ...python(),
  files: [],
  minRunnerVersion: 0,
  limits: { ...defaultRunLimits, maxPayloadBytes },
})

describe('each limit passes at the limit and fails one over', () => {
  test.each([
    { fits: { code: 'a'.repeat(12) }, over: { code: 'a'.repeat(13) }, code: 'source_too_large' },
    { fits: { code: '€'.repeat(4) }, over: { code: `${'€'.repeat(4)}a` }, code: 'source_too_large' },
    { fits: { timeoutMs: 40_000 }, over: { timeoutMs: 40_001 }, code: 'invalid_request' },
    { fits: { memoryMiB: 1024 }, over: { memoryMiB: 1025 }, code: 'invalid_request' },
    { fits: evaluator({ timeoutMs: 2000 }), over: evaluator({ timeoutMs: 2001 }), code: 'invalid_request' },
    { fits: evaluator({ memoryMiB: 128 }), over: evaluator({ memoryMiB: 129 }), code: 'invalid_request' },
    { fits: evaluator({ files: [] }), over: evaluator({ files: ['a.csv'] }), code: 'invalid_request' },
  ])('$fits passes, $over is $code', ({ fits, over, code }) => {
    expect([codeOf(() => check(fits)), codeOf(() => check(over))]).toEqual(['passed', code])
  })

  test('the whole payload', () => {
    // The limit is part of the payload, so both have the same number of digits.
    const bytes = Buffer.byteLength(JSON.stringify(requestOf(100)))

    expect(codeOf(() => assertPayload(requestOf(bytes)))).toBe('passed')
    expect(codeOf(() => assertPayload(requestOf(bytes - 1)))).toBe('payload_too_large')
  })
})

test('a field over its limit is named, with what was expected and what was got', () => {
  expect(() => check({ timeoutMs: 50_000 })).toThrow(
    expect.objectContaining({
      errors: [{ pointer: '/timeoutMs', detail: 'expected `timeoutMs` of at most 40000, got 50000' }],
    }),
  )
})

test('what the profile does not allow is told with its name, and no artifact is kept', () => {
  expect(() => check(evaluator({ timeoutMs: 2001, files: ['a.csv'] }))).toThrow(
    'expected `timeoutMs` of at most 2000, got 2001; expected `files` of at most 0, got 1 (profile evaluator)',
  )
  expect(check(evaluator({}))).toMatchObject({ timeoutMs: 2000, memoryMiB: 128, maxArtifacts: 0, maxArtifactBytes: 0 })
})

test('files are refused where the backend has none', () => {
  expect(codeOf(() => check({ files: ['sales.csv'] }, false))).toBe('unsupported')
  expect(codeOf(() => check({ files: ['sales.csv'] }))).toBe('passed')
})

test('a default never exceeds what a caller may ask for', () => {
  const low = { ...ceilings, maxTimeoutMs: 1000, maxMemoryMiB: 100 }

  expect(checkRequest(python(), low, { files: true })).toMatchObject({ timeoutMs: 1000, memoryMiB: 100 })
})
