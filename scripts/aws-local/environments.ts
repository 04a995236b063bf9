import { type Environment, startEnvironment } from './environment.ts'
import type { FunctionRun } from './function-run.ts'
import type { RunnerImage } from './images.ts'

export interface EnvironmentOptions {
  /** How many live at once, of all functions together; whoever comes then waits. @default 16 */
  readonly maxEnvironments?: number
  /** After how long without an event an environment ends. @default 60_000 */
  readonly idleMs?: number
  /** Its credentials live for an hour; it must end before they do. @default 50 minutes */
  readonly maxAgeMs?: number
}

export interface Environments extends AsyncDisposable {
  /** Lends an environment of this revision of the function: a warm one, or a new one. */
  borrow(run: FunctionRun, image: RunnerImage, tenant: string | null): Promise<Lease>
  count(): number
}

export interface Lease {
  readonly environment: Environment
  /** Whether it was started for this lease. */
  readonly isNew: boolean
  /** `isReusable` false ends it: its runtime has crashed or was killed. */
  giveBack(isReusable: boolean): void
}

interface Idle {
  readonly key: string
  readonly functionArn: string
  readonly environment: Environment
  readonly timer: NodeJS.Timeout
}

const DEFAULTS = { maxEnvironments: 16, idleMs: 60_000, maxAgeMs: 50 * 60_000 }

const keyOf = (run: FunctionRun, image: RunnerImage, tenant: string | null): string =>
  JSON.stringify([run.functionArn, run.version, run.revisionId, run.resolvedImageUri, image.folder, tenant])

/** Ends what was started, or nothing if it never came up; who asked for it has the error. */
const dispose = async (started: Promise<Environment>): Promise<void> => {
  try {
    await (await started)[Symbol.asyncDispose]()
  } catch {
    return
  }
}

export const createEnvironments = (endpoint: () => string, given: EnvironmentOptions = {}): Environments => {
  const options = { ...DEFAULTS, ...given }
  const idle = new Set<Idle>()
  const alive = new Set<Promise<Environment>>()
  const ending = new Set<Promise<void>>()
  const waiting: (() => void)[] = []
  let isClosed = false

  const end = async (started: Promise<Environment>): Promise<void> => {
    alive.delete(started)
    const ended = dispose(started)
    ending.add(ended)
    await ended
    ending.delete(ended)
    waiting.shift()?.()
  }

  const takeIdle = (wanted: (entry: Idle) => boolean): Environment | null => {
    const entry = [...idle].toReversed().find(wanted)
    if (entry === undefined) return null
    idle.delete(entry)
    clearTimeout(entry.timer)
    return entry.environment
  }

  /** Environments of an older revision of the function are of no use any more. */
  const endOutdated = (functionArn: string, key: string): void => {
    const isOutdated = (entry: Idle): boolean => entry.functionArn === functionArn && entry.key !== key
    for (let found = takeIdle(isOutdated); found !== null; found = takeIdle(isOutdated)) endNow(found)
  }

  const endNow = (environment: Environment): void => {
    const started = owners.get(environment)
    if (started !== undefined) void end(started)
  }
  const owners = new Map<Environment, Promise<Environment>>()

  const place = async (): Promise<void> => {
    while (alive.size + ending.size >= options.maxEnvironments) {
      const oldest = takeIdle(() => true)
      if (oldest !== null) endNow(oldest)
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.push(resolve)
      await promise
      if (isClosed) throw new Error('the stand-in is closing')
    }
  }

  const lease = (environment: Environment, key: string, isNew: boolean, functionArn: string): Lease => ({
    environment,
    isNew,
    giveBack(isReusable) {
      const isFresh = Date.now() - environment.startedAt < options.maxAgeMs
      if (isClosed || !isReusable || !isFresh || !environment.isAlive()) return endNow(environment)
      const timer = setTimeout(() => {
        idle.delete(entry)
        endNow(environment)
      }, options.idleMs)
      timer.unref()
      const entry: Idle = { key, functionArn, environment, timer }
      idle.add(entry)
      waiting.shift()?.()
    },
  })

  return {
    count: () => alive.size,
    async borrow(run, image, tenant) {
      const key = keyOf(run, image, tenant)
      if (!run.isTenantIsolated) endOutdated(run.functionArn, key)
      for (;;) {
        const warm = takeIdle((entry) => entry.key === key)
        if (warm?.isAlive() === true) return lease(warm, key, false, run.functionArn)
        if (warm === null) break
        endNow(warm)
      }
      await place()
      const started = startEnvironment(run, image, endpoint())
      alive.add(started)
      try {
        const environment = await started
        owners.set(environment, started)
        return lease(environment, key, true, run.functionArn)
      } catch (error) {
        void end(started)
        throw error
      }
    },
    async [Symbol.asyncDispose]() {
      isClosed = true
      for (const entry of idle) clearTimeout(entry.timer)
      idle.clear()
      for (const started of alive) void end(started)
      for (const wake of waiting.splice(0)) wake()
      while (ending.size > 0) await Promise.all(ending)
    },
  }
}
