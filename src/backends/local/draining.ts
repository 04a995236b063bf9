import { BerthError } from '../../domain/errors.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import type { Events } from '../../domain/ports/events.ts'
import type { KeptRunner } from './runner-images.ts'
import type { RunnerProcess } from './runner-process.ts'

/** A runner with the runs that it has. */
export interface Place {
  readonly kept: KeptRunner
  readonly runner: RunnerProcess
  runs: number
  isRetired: boolean
  readonly drained: PromiseWithResolvers<void>
}

/** The longest run that can be asked for, 900 s, and what its runner is given to end it. */
const DRAIN_MS = 16 * 60_000
/** Each takes the memory of a whole runner until its last run has ended. */
const MAX_DRAINING = 4

interface DrainingDeps {
  readonly clock: Clock
  readonly events: Events
  readonly closing: AbortSignal
}

/** Runners that get no more runs, and end when theirs have. */
export const createDraining = ({ clock, events, closing }: DrainingDeps) => {
  let count = 0

  /** Each run has its own deadline, which the runner keeps; a runner that does not is ended with what it has. */
  const withinBound = async (drained: Promise<void>): Promise<void> => {
    const done = new AbortController()
    const over = AbortSignal.any([done.signal, closing])
    await Promise.race([drained, clock.sleep(DRAIN_MS, over).catch(() => undefined)])
    done.abort()
  }

  return {
    /** @throws {BerthError} backend_unavailable when one more could not be replaced */
    assertRoom: (): void => {
      if (count >= MAX_DRAINING) throw crowded()
    },
    end: async (place: Place, end: (runner: RunnerProcess) => Promise<void>): Promise<void> => {
      count += 1
      if (place.runs > 0) await withinBound(place.drained.promise)
      const cut = place.runs
      // The runner itself would call them canceled, which nobody did.
      if (cut > 0 && !closing.aborted) place.runner.giveUp(overdue())
      await end(place.runner)
      count -= 1
      const detail = { image: place.kept.image, cut }
      events.emit({ code: 'runner.retired', level: cut > 0 ? 'error' : 'info', detail })
    },
  }
}

const overdue = (): BerthError =>
  new BerthError(
    'runner_failed',
    `The runner of this run was replaced ${DRAIN_MS / 60_000} minutes ago, and was ended with it`,
  )

const crowded = (): BerthError =>
  new BerthError(
    'backend_unavailable',
    `${MAX_DRAINING} runners that were replaced still end their runs, and each takes memory; ask again when one has ended (event runner.retired)`,
    { retryAfterSeconds: 60 },
  )
