import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { BerthError } from '../../domain/errors.ts'
import type { BerthId } from '../../domain/ids.ts'
import { defaultRunLimits } from '../../domain/limits.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import type { Dispatch } from '../../domain/ports/dispatch.ts'
import type { Ids } from '../../domain/ports/ids.ts'
import { createBerthFolders } from './berth-folders.ts'
import { createFolderFiles } from './folder-files.ts'
import { type Layout, openLayout } from './layout.ts'
import { createLocalDispatch } from './local-dispatch.ts'
import type { KeptRunner } from './runner-images.ts'
import type { Runner } from './runner-slot.ts'
import { type SelfTestOptions, runSelfTest } from './self-test.ts'

export interface ProofOptions extends Pick<SelfTestOptions, 'layout' | 'sandboxLevels'> {
  readonly ids: Ids
  readonly clock: Clock
}

export interface Candidate {
  readonly candidate: Runner
  readonly present: Runner
  readonly next: KeptRunner
  readonly signal: AbortSignal
}

/** Also clears away what a proof has left that was cut off. */
export const emptyProof = ({ root }: Pick<Layout, 'root'>): Promise<void> =>
  rm(join(root, 'proof'), { recursive: true, force: true })

/**
 * With real code of both languages, before any run of a tenant's goes there, and in a berth of its own: no runner that is not proven comes
 * near tenants' files, and nothing of theirs near the proof. @throws {BerthError} backend_unavailable
 */
export const assertFit = async (options: ProofOptions, candidate: Candidate): Promise<void> => {
  const { signal } = candidate
  await emptyProof(options.layout)
  try {
    const layout = await openLayout(join(options.layout.root, 'proof'), [])
    const berthId = options.ids.berthId()
    await createBerthFolders(layout).create(berthId, { signal })
    await assertFitIn(layout, { options, berthId, signal }, candidate)
  } finally {
    await emptyProof(options.layout)
  }
}

const assertFitIn = async (layout: Layout, runs: Runs, { candidate, present, next, signal }: Candidate) => {
  const { options, berthId } = runs
  const dispatch = createLocalDispatch({ layout, runner: candidate, maxConcurrency: 1 })
  const before = createLocalDispatch({ layout, runner: present, maxConcurrency: 1 })
  const test = { ...options, layout, tenants: options.layout, files: createFolderFiles(layout), dispatch }
  const { passed, checks, runnerVersion } = await runSelfTest(test, berthId, signal)
  const wrong = checks.filter((check) => !check.passed).map(({ name, detail }) => `${name} (${detail})`)
  if (!passed) throw unfit(`failed its self-test: ${wrong.join(', ')}`)
  if (runnerVersion !== next.version)
    throw unfit(`says that it has version ${runnerVersion}, and its folder says ${next.version}`)
  await assertQuick({ candidate: dispatch, present: before }, runs)
}

/** As a rollout on AWS counts: twice as long is a loaded machine, and half a second more is what nobody waits for. */
const SLOW_FACTOR = 3
const SLOW_LEAST_MS = 500
const TIMED = 3
/** What looks slow is looked at for longer: a burst of load may have come at the wrong time. */
const MOST_TIMED = 6

const programs = [
  { language: 'python', code: '6 * 7' },
  { language: 'typescript', code: 'export default 6 * 7' },
] as const

interface Runs {
  readonly berthId: BerthId
  readonly options: ProofOptions
  readonly signal: AbortSignal
}

/** By turns, and by the least of each, which load on the machine lengthens least. */
const assertQuick = async (
  { candidate, present }: { readonly candidate: Dispatch; readonly present: Dispatch },
  runs: Runs,
): Promise<void> => {
  let [afterMs, beforeMs] = [Infinity, Infinity]
  const isSlow = (): boolean => afterMs > SLOW_FACTOR * beforeMs && afterMs - beforeMs > SLOW_LEAST_MS
  for (let round = 0; round < TIMED || (round < MOST_TIMED && isSlow()); round += 1) {
    afterMs = Math.min(afterMs, await timeRound(candidate, runs))
    beforeMs = Math.min(beforeMs, await timeRound(present, runs))
  }
  if (isSlow())
    throw unfit(`takes ${Math.round(afterMs)} ms for what takes ${Math.round(beforeMs)} ms on the one before`)
}

/** One run of each language. */
const timeRound = async (dispatch: Dispatch, runs: Runs): Promise<number> => {
  const { clock } = runs.options
  const startMs = clock.monotonicMs()
  for (const program of programs) await runOne(dispatch, program, runs)
  return clock.monotonicMs() - startMs
}

const runOne = async (
  dispatch: Dispatch,
  program: (typeof programs)[number],
  { berthId, options, signal }: Runs,
): Promise<void> => {
  const request = {
    ...program,
    runId: options.ids.runId(),
    variables: {},
    files: [],
    profile: 'default' as const,
    limits: defaultRunLimits,
    minRunnerVersion: 0,
  }
  const { outcome, results } = await dispatch.dispatch({ berthId, request, signal })
  if (outcome.status === 'succeeded' && results.find(({ isMain }) => isMain)?.json === 42) return
  throw unfit(`gave no right answer to ${program.language}: ${outcome.status} ${outcome.detail}`)
}

const unfit = (detail: string): BerthError =>
  new BerthError('backend_unavailable', `The new runner ${detail}. The one before goes on`)
