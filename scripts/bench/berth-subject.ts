import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LocalBackend, createLocalBackend } from '../../src/backends/local/local-backend.ts'
import type { BerthId } from '../../src/domain/ids.ts'
import { defaultRunLimits } from '../../src/domain/limits.ts'
import type { Ids } from '../../src/domain/ports/ids.ts'
import type { RunnerReply } from '../../src/domain/runner-protocol.ts'
import { createRandomIds } from '../../src/main/random-ids.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'
import { CSV_NAME, type Program, csvText } from './programs.ts'

/** A local backend in a folder of its own, and a folder for the same programs run plainly. */
export interface BerthSubject extends AsyncDisposable {
  readonly backend: LocalBackend
  readonly ids: Ids
  makeBerth(): Promise<BerthId>
  putCsv(berthId: BerthId): Promise<void>
  run(berthId: BerthId, program: Program): Promise<RunnerReply>
  /** Holds the CSV too. */
  readonly plainDir: string
}

const never = new AbortController().signal

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

/** @throws when the answer is not the right one: a fast wrong answer is worth nothing */
const checked = (reply: RunnerReply, program: Program): RunnerReply => {
  if (reply.outcome.status !== 'succeeded' || !reply.logs.stdout.includes(program.prints))
    throw new Error(`A run ended ${reply.outcome.status}: ${reply.outcome.detail} ${reply.error?.traceback ?? ''}`)
  return reply
}

export const makeBerthSubject = async (): Promise<BerthSubject> => {
  const folder = await mkdtemp(join(tmpdir(), 'berth-bench-'))
  const csv = csvText()
  await writeFile(join(folder, CSV_NAME), csv)
  const clock = createSystemClock()
  const ids = createRandomIds(clock)
  const backend = await createLocalBackend({ dataDir: join(folder, 'berth'), events: { emit: () => {} }, clock, ids })
  const makeBerth = async () => {
    const berthId = ids.berthId()
    await backend.berths.create(berthId, { signal: never })
    return berthId
  }
  const putCsv = async (berthId: BerthId) => {
    const place = { berthId, area: 'files' as const }
    await backend.files.put(place, CSV_NAME, bytesOf(csv), { maxBytes: 10_000_000, signal: never })
  }
  const run = async (berthId: BerthId, program: Program) => {
    const { language, code } = program
    const request = {
      runId: ids.runId(),
      language,
      code,
      files: [...program.files],
      variables: {},
      profile: 'default' as const,
      limits: defaultRunLimits,
      minRunnerVersion: 0,
    }
    return checked(await backend.dispatch.dispatch({ berthId, request, signal: never }), program)
  }
  return {
    backend,
    ids,
    makeBerth,
    putCsv,
    run,
    plainDir: folder,
    [Symbol.asyncDispose]: async () => {
      await backend[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
