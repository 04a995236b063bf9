import { BerthError } from '../../domain/errors.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import type { Events } from '../../domain/ports/events.ts'
import { createDraining, type Place } from './draining.ts'
import type { KeptRunner } from './runner-images.ts'
import { orAborted } from './or-aborted.ts'
import type { RunnerProcess } from './runner-process.ts'

export type Runner = Pick<RunnerProcess, 'run' | 'hello' | 'recycle'>

export interface RunnerSlotOptions {
  readonly start: (kept: KeptRunner, signal: AbortSignal) => Promise<RunnerProcess>
  readonly events: Events
  readonly clock: Clock
}

/** The runner that takes runs. Another can take its place; runs that the one before has are ended by it. */
export interface RunnerSlot extends Runner, AsyncDisposable {
  readonly kept: KeptRunner
  /** Images of all that live: the one that takes runs, those that end theirs, and one that is being proven. */
  readonly living: ReadonlySet<string>
  /**
   * Starts another runner, has it proven, and from then on sends runs there. When it does not start or `prove` throws, all stays as it was.
   * @throws {BerthError} sandbox_unavailable, backend_unavailable, shutting_down; what `prove` throws
   */
  replace(next: KeptRunner, prove: (candidate: Runner, signal: AbortSignal) => Promise<void>): Promise<void>
}

/** Its longest part is a dozen small runs side by side, on a machine that is loaded. */
const PROOF_MS = 180_000

const placeOf = (kept: KeptRunner, runner: RunnerProcess): Place => ({
  kept,
  runner,
  runs: 0,
  isRetired: false,
  drained: Promise.withResolvers(),
})

const runIn = async (place: Place, ...asked: Parameters<Runner['run']>): ReturnType<Runner['run']> => {
  place.runs += 1
  try {
    return await place.runner.run(...asked)
  } finally {
    place.runs -= 1
    if (place.runs === 0 && place.isRetired) place.drained.resolve()
  }
}

interface Waiting {
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** A runner that takes a run and never ends it, or starts again for ever, must not keep all others waiting. */
const withinProofTime = async (
  { clock, signal }: Waiting,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> => {
  const late = new AbortController()
  const done = new AbortController()
  const giveUp = () => late.abort(unproven())
  clock.sleep(PROOF_MS, done.signal).then(giveUp, () => undefined)
  const within = AbortSignal.any([signal, late.signal])
  try {
    await orAborted(work(within), within)
  } finally {
    done.abort()
  }
}

export const openRunnerSlot = async (
  first: KeptRunner,
  { start, events, clock }: RunnerSlotOptions,
): Promise<RunnerSlot> => {
  const closing = new AbortController()
  let present = placeOf(first, await start(first, closing.signal))
  const living = new Map<RunnerProcess, string>([[present.runner, first.image]])
  const draining = createDraining({ clock, events, closing: closing.signal })
  let replacing: Promise<void> = Promise.resolve()

  const end = async (runner: RunnerProcess): Promise<void> => {
    await runner[Symbol.asyncDispose]()
    living.delete(runner)
  }

  const replace: RunnerSlot['replace'] = async (next, prove) => {
    const { signal } = closing
    signal.throwIfAborted()
    draining.assertRoom()
    const candidate = await start(next, signal)
    living.set(candidate, next.image)
    try {
      await withinProofTime({ clock, signal }, (within) => prove(candidate, within))
      signal.throwIfAborted()
    } catch (error) {
      await end(candidate)
      throw error
    }
    const before = present
    present = placeOf(next, candidate)
    events.emit({ code: 'runner.replaced', level: 'info', detail: { from: before.kept.image, image: next.image } })
    before.isRetired = true
    void draining.end(before, end)
  }

  // One after the other: two candidates at once would only take each other's memory.
  const afterwards = async (before: Promise<void>, ...asked: Parameters<RunnerSlot['replace']>): Promise<void> => {
    await before.catch(() => undefined)
    await replace(...asked)
  }

  return {
    get kept() {
      return present.kept
    },
    get living() {
      return new Set(living.values())
    },
    hello: (signal) => present.runner.hello(signal),
    recycle: (signal) => present.runner.recycle(signal),
    run: (request, callbacks) => runIn(present, request, callbacks),
    replace: (next, prove) => {
      const work = afterwards(replacing, next, prove)
      replacing = work
      work.catch(() => undefined)
      return work
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort(new BerthError('shutting_down', 'The local backend is closed'))
      await replacing.catch(() => undefined)
      await Promise.all([...living.keys()].map(end))
    },
  }
}

const unproven = (): BerthError =>
  new BerthError(
    'backend_unavailable',
    `The new runner did not end its proof within ${PROOF_MS / 1000} s. The one before goes on`,
  )
