import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Berth } from '../../src/client/berth.ts'
import { openSite, type Site } from './site.ts'

let site: Site
let tenant: Berth

beforeAll(async () => {
  site = await openSite({
    BERTH_MAX_RESULT_BYTES: '2000',
    BERTH_MAX_OUTPUT_BYTES: '1000',
    BERTH_MAX_SOURCE_BYTES: '5000',
  })
  tenant = await site.signUp('limited')
})

afterAll(() => site[Symbol.asyncDispose]())

describe('output', () => {
  test('exactly at the limit passes', async () => {
    const run = await tenant.run('import sys\nsys.stdout.write("é" * 400)\nsys.stderr.write("x" * 200)\nNone')

    expect(run.status).toBe('succeeded')
    expect(run.logs).toMatchObject({ stdout: 'é'.repeat(400), stderr: 'x'.repeat(200), droppedBytes: 0 })
  })

  test('one byte over fails with its code and keeps what was captured', async () => {
    const run = await tenant.run(
      'import sys\nsys.stdout.write("é" * 400)\nsys.stdout.write("x" * 201)\nsys.stdout.flush()',
    )

    expect(run.failure?.code).toBe('output_limit')
    expect(run.logs.stdout.startsWith('é'.repeat(400))).toBe(true)
    expect(run.logs.truncated.stdout).toBe(true)
    expect(run.logs.droppedBytes).toBeGreaterThanOrEqual(1)
  })
})

const runWith = (characters: number) => tenant.run(`def main(variables):\n    return "x" * ${characters}`)

describe('result', () => {
  /** The serialised results array of a string of n characters, without the string itself. */
  const around = JSON.stringify([{ isMain: true, text: '', json: '' }])

  test('is measured in bytes of what is sent: at the limit it passes, one over it fails', async () => {
    const probe = await runWith(100)
    const overhead = Buffer.byteLength(JSON.stringify(probe.results)) - 200
    expect(overhead).toBeGreaterThanOrEqual(around.length - 2)
    const fits = Math.floor((2000 - overhead) / 2)

    const [at, over] = await Promise.all([runWith(fits), runWith(fits + 1)])

    expect(at.status).toBe('succeeded')
    expect(over).toMatchObject({ status: 'failed', failure: { code: 'result_too_large' } })
  })
})

test('source: exactly at the limit passes, one byte over is refused before anything runs', async () => {
  const at = `1  #${'é'.repeat(2498)}`

  const run = await tenant.run(at)

  expect(Buffer.byteLength(at)).toBe(5000)
  expect(run.results[0]?.json).toBe(1)
  await expect(tenant.run(`${at} `)).rejects.toMatchObject({ code: 'source_too_large' })
})

test('a time-out keeps what was printed and what was written', async () => {
  const run = await tenant.run(
    'print("so far", flush=True)\nopen("outputs/part.txt", "w").write("half")\nwhile True: pass',
    {
      timeoutMs: 2000,
    },
  )

  expect(run).toMatchObject({ status: 'timed_out', failure: { code: 'timeout', category: 'limit', retryable: false } })
  expect(run.logs.stdout).toBe('so far\n')
  expect(run.artifacts.map(({ name }) => name)).toEqual(['part.txt'])
})

const outcomes = [
  {
    what: 'sys.exit with a status',
    code: 'import sys\nprint("kept")\nsys.exit(3)',
    status: 'failed',
    failure: 'exited',
  },
  { what: 'os._exit', code: 'import os\nprint("kept", flush=True)\nos._exit(4)', status: 'failed', failure: 'exited' },
  {
    what: 'a segmentation fault',
    code: 'import ctypes\nprint("kept", flush=True)\nctypes.string_at(0)',
    status: 'crashed',
    failure: 'crashed',
  },
  {
    what: 'too much memory',
    code: 'print("kept", flush=True)\nx = bytearray(2 * 1024**3)\nfor i in range(0, len(x), 4096): x[i] = 1',
    status: 'crashed',
    failure: 'out_of_memory',
  },
  {
    what: 'a value that is no JSON',
    code: 'print("kept")\ndef main(variables):\n    return {1, 2}',
    status: 'failed',
    failure: 'result_not_serializable',
  },
  {
    what: 'NaN',
    code: 'print("kept")\ndef main(variables):\n    return [float("nan")]',
    status: 'failed',
    failure: 'result_not_serializable',
  },
  {
    what: 'a cycle',
    code: 'print("kept")\ndef main(variables):\n    x = []\n    x.append(x)\n    return x',
    status: 'failed',
    failure: 'result_not_serializable',
  },
  {
    what: 'an integer that JSON readers would round',
    code: 'print("kept")\ndef main(variables):\n    return 2**53',
    status: 'failed',
    failure: 'result_not_serializable',
  },
  { what: 'an exception', code: 'print("kept")\n1 / 0', status: 'failed', failure: 'code_raised' },
  {
    what: 'a closed result pipe',
    code: 'import os\nprint("kept", flush=True)\nos.closerange(3, 1000)',
    status: 'failed',
    failure: 'exited',
  },
]

test.each(outcomes)('$what has its own outcome, keeps the output, and the next run is clean', async (outcome) => {
  const { status, failure } = outcome

  const run = await tenant.run(outcome.code)

  expect({ status: run.status, failure: run.failure?.code, stdout: run.logs.stdout }).toEqual({
    status,
    failure,
    stdout: 'kept\n',
  })
  expect(run.failure?.remedy).toMatch(/\w/)
  expect((await tenant.run('6 * 7')).results[0]?.json).toBe(42)
})
