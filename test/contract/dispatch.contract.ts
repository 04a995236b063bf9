import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BerthId } from '../../src/domain/ids.ts'
import { type RunLimits, defaultRunLimits } from '../../src/domain/limits.ts'
import type { Dispatch, DispatchRequest } from '../../src/domain/ports/dispatch.ts'
import type { Ids } from '../../src/domain/ports/ids.ts'
import type { TenantFiles } from '../../src/domain/ports/tenant-files.ts'
import { bodyOf, codeOf, quiet, textOf } from './content.ts'

export interface DispatchSubject extends AsyncDisposable {
  readonly dispatch: Dispatch
  readonly files: TenantFiles
  readonly ids: Ids
  /** Two berths that exist and are empty. Tests share them, as runs of one tenant do. */
  readonly berthId: BerthId
  readonly otherBerthId: BerthId
  readonly capabilities: {
    /** Each run has a /tmp of its own. False only where code runs without a sandbox on a machine that others use too. */
    readonly ownTmp: boolean
  }
}

const KIB = 1024

const limited = (limits: Partial<RunLimits>) => ({ limits: { ...defaultRunLimits, ...limits } })

const NO_FILES = 'runs of this backend have no prefix of their own'

/** What every adapter of `Dispatch` must do. What a backend can't is in `dispatch.capabilities`. */
export const describeDispatch = (name: string, make: () => Promise<DispatchSubject>): void => {
  describe(`Dispatch: ${name}`, () => {
    let subject: DispatchSubject
    beforeAll(async () => {
      subject = await make()
    })
    afterAll(() => subject?.[Symbol.asyncDispose]())

    const requestOf = (code: string, more: Partial<Omit<DispatchRequest, 'limits'>> = {}): DispatchRequest => ({
      runId: subject.ids.runId(),
      language: 'python',
      code,
      variables: {},
      files: [],
      profile: 'default',
      limits: defaultRunLimits,
      minRunnerVersion: 0,
      ...more,
    })
    const run = (request: DispatchRequest, berthId = subject.berthId) =>
      subject.dispatch.dispatch({ berthId, request, signal: quiet() })
    const python = (code: string, more: Partial<DispatchRequest> = {}) => run(requestOf(code, more))
    const putFile = async (berthId: BerthId, text: string) => {
      const fileName = `${subject.ids.secret()}.txt`
      await subject.files.put({ berthId, area: 'files' }, fileName, bodyOf(text), { maxBytes: 1000, signal: quiet() })
      return fileName
    }

    test('it describes both languages and its runner', async () => {
      const about = await subject.dispatch.describe()

      expect(about.languages.map((one) => one.language).toSorted()).toEqual(['python', 'typescript'])
      expect(about.runner.version).toBeGreaterThan(0)
    })

    test('a Python run answers with its value, its output and its own id', async () => {
      const request = requestOf('print("hello")\n40 + 2')

      const reply = await run(request)

      expect(reply.runId).toBe(request.runId)
      expect(reply.outcome.status).toBe('succeeded')
      expect(reply.logs.stdout).toBe('hello\n')
      expect(reply.results.find((result) => result.isMain)?.json).toBe(42)
    })

    test('a TypeScript run answers with its value and its output', async () => {
      const reply = await python('const n: number = 40\nconsole.log("hello")\nexport default n + 2', {
        language: 'typescript',
      })

      expect(reply.outcome.status).toBe('succeeded')
      expect(reply.logs.stdout).toBe('hello\n')
      expect(reply.results.find((result) => result.isMain)?.json).toBe(42)
    })

    test('main is called with the variables', async () => {
      const reply = await python('def main(variables):\n    return variables["n"] * 2', { variables: { n: 21 } })

      expect(reply.results.find((result) => result.isMain)?.json).toBe(42)
    })

    test('code that raises is an answer, not an error, and names its line', async () => {
      const reply = await python('print("before")\nraise ValueError("no")')

      expect(reply.outcome).toMatchObject({ status: 'failed', code: 'code_raised' })
      expect(reply.error).toMatchObject({ name: 'ValueError', value: 'no', line: 2 })
      expect(reply.logs.stdout).toBe('before\n')
    })

    test('a run that is too long answers with what it printed until then', async () => {
      const code = 'import time\nprint("before", flush=True)\ntime.sleep(60)'

      const reply = await python(code, limited({ timeoutMs: 2000 }))

      expect(reply.outcome).toMatchObject({ status: 'timed_out', code: 'timeout' })
      expect(reply.logs.stdout).toBe('before\n')
    })

    test('a named file lies in the working directory', async (context) => {
      context.skip(!subject.dispatch.capabilities.files, NO_FILES)
      const file = await putFile(subject.berthId, 'mine')

      const reply = await python(`open(${JSON.stringify(file)}).read()`, { files: [file] })

      expect(reply.results.find((result) => result.isMain)?.json ?? reply.results[0]?.text).toBe('mine')
    })

    test('a file of another berth is not found', async (context) => {
      context.skip(!subject.dispatch.capabilities.files, NO_FILES)
      const file = await putFile(subject.otherBerthId, 'theirs')
      const request = requestOf(`open(${JSON.stringify(file)}).read()`, { files: [file] })

      expect(await codeOf(run(request))).toBe('file_not_found')
      // The control: its own berth finds it.
      const own = await run({ ...request, runId: subject.ids.runId() }, subject.otherBerthId)
      expect(own.outcome.status).toBe('succeeded')
    })

    test('a run below the fence is refused before the code starts', async () => {
      expect(await codeOf(python('1', { minRunnerVersion: 1_000_000 }))).toBe('runner_outdated')
    })

    test('a refusal that code prints or returns stays the output of a run', async () => {
      const request = requestOf('')
      const forged = {
        protocol: 1,
        kind: 'refusal',
        runId: request.runId,
        code: 'runner_failed',
        detail: 'forged',
        runnerVersion: 1,
      }

      const reply = await run({
        ...request,
        code: `def main(variables):\n    print(${JSON.stringify(JSON.stringify(forged))})\n    return variables`,
        variables: forged,
      })

      expect(reply.outcome.status).toBe('succeeded')
      expect(reply.results.find((result) => result.isMain)?.json).toEqual(forged)
    })

    test('a small artifact comes inside the reply', async () => {
      const reply = await python('open("outputs/a.txt", "w").write("content")\nNone')

      expect(reply.artifacts).toMatchObject([{ name: 'a.txt', bytes: 7 }])
      expect(Buffer.from(reply.artifacts[0]?.content ?? '', 'base64').toString()).toBe('content')
    })

    test("an artifact too large for the reply is stored in the run's own place", async (context) => {
      context.skip(!subject.dispatch.capabilities.files, NO_FILES)
      const request = requestOf(`open("outputs/big.txt", "w").write("x" * ${200 * KIB})\nNone`)

      const reply = await run({ ...request, ...limited({ maxInlineArtifactBytes: 100 * KIB }) })

      expect(reply.artifacts).toMatchObject([{ name: 'big.txt', bytes: 200 * KIB, content: null, stored: true }])
      const place = { berthId: subject.berthId, area: 'run' as const, runId: request.runId as never }
      const stored = await subject.files.get(place, 'big.txt', { signal: quiet() })
      expect(stored === null ? 0 : (await textOf(stored.body)).length).toBe(200 * KIB)
    })

    test('nothing that one run leaves in its process or working directory is seen by the next', async () => {
      await python('import builtins\nbuiltins.left = 1\nopen("left.txt", "w").write("x")')

      const reply = await python('import builtins, os\n[hasattr(builtins, "left"), os.path.exists("left.txt")]')

      expect(reply.results.find((result) => result.isMain)?.json).toEqual([false, false])
    })

    test('nothing that one run leaves in /tmp is seen by the next', async (context) => {
      context.skip(!subject.capabilities.ownTmp, "a run of this level writes into the machine's own /tmp")
      await python('open("/tmp/berth-left.txt", "w").write("x")')

      const reply = await python('import os\nos.path.exists("/tmp/berth-left.txt")')

      expect(reply.results.find((result) => result.isMain)?.json).toBe(false)
    })

    test('runs at once, more than fit, each get their own answer', async () => {
      const numbers = Array.from({ length: subject.dispatch.capabilities.maxConcurrency * 2 + 1 }, (_, n) => n)

      const replies = await Promise.all(numbers.map((n) => python(`${n} * 2`)))

      expect(replies.map((reply) => reply.results[0]?.json)).toEqual(numbers.map((n) => n * 2))
    })

    test('a signal that is aborted already starts nothing and rejects with its reason', async () => {
      const reason = new Error('stopped')
      const work = subject.dispatch.dispatch({
        berthId: subject.berthId,
        request: requestOf('1'),
        signal: AbortSignal.abort(reason),
      })

      await expect(work).rejects.toBe(reason)
    })

    test('aborting a run that goes on ends it with what was captured', async (context) => {
      const { cancels, streamsOutput } = subject.dispatch.capabilities
      context.skip(!cancels || !streamsOutput, 'this backend cannot stop a run that goes on')
      const stop = new AbortController()
      const request = requestOf('import time\nprint("begun", flush=True)\ntime.sleep(60)')

      const reply = await subject.dispatch.dispatch({
        berthId: subject.berthId,
        request,
        signal: stop.signal,
        onOutput: () => stop.abort(new Error('changed my mind')),
      })

      expect(reply.outcome).toMatchObject({ status: 'canceled', code: 'canceled' })
      expect(reply.logs.stdout).toBe('begun\n')
    })

    test('output arrives in order while the run goes on, and is the output of the reply', async (context) => {
      context.skip(!subject.dispatch.capabilities.streamsOutput, 'this backend does not stream output')
      let seen = ''
      const file = await putFile(subject.berthId, 'x')
      const code = 'import sys\nfor n in range(200):\n    print(n, "ä😀", flush=True)\nprint("end", file=sys.stderr)'

      const reply = await subject.dispatch.dispatch({
        berthId: subject.berthId,
        request: requestOf(code, { files: [file] }),
        signal: quiet(),
        onOutput: (stream, text) => {
          if (stream === 'stdout') seen += text
        },
      })

      expect(seen).toBe(reply.logs.stdout)
      expect(seen.split('\n')).toHaveLength(201)
      expect(reply.logs.stderr).toBe('end\n')
    })
  })
}
