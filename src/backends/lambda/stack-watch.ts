import type { Clock } from '../../domain/ports/clock.ts'
import type { Asked, StackReads, StackView } from './stack-reads.ts'
import { isSettled, phaseOf, unsettledStatuses } from './stack-status.ts'

/** Up to so many stacks are asked for one by one; more are looked up in one listing, for reads share some 5/s. */
const FEW = 4

export interface StackWatch {
  /** What became of the stack when nothing is under way any more; null when it is gone. */
  settled(stack: { readonly id: string; readonly name: string }, asked: Asked): Promise<StackView | null>
}

interface Watched extends Asked {
  readonly stack: { readonly id: string; readonly name: string }
  readonly resolve: (view: StackView | null) => void
  readonly reject: (error: unknown) => void
}

/** One loop for all stacks that somebody waits for; SDK waiters ask every 30 s and each for itself. */
export const createStackWatch = (
  { calls, clock }: { calls: Pick<StackReads, 'describe' | 'list'>; clock: Clock },
  pollMs: { readonly least: number; readonly most: number },
): StackWatch => {
  const watched = new Set<Watched>()
  let looping = false

  const loop = async (): Promise<void> => {
    if (looping) return
    looping = true
    while (watched.size > 0) {
      // Jitter: servers that started together must not ask together.
      await clock.sleep(pollMs.least + Math.random() * (pollMs.most - pollMs.least), new AbortController().signal)
      await look([...watched])
    }
    looping = false
  }

  const look = async (due: readonly Watched[]): Promise<void> => {
    const busy = due.length > FEW ? await listUnsettled(due) : new Set<string>()
    await Promise.all(due.filter(({ stack }) => !busy.has(stack.name)).map(lookAt))
  }

  const listUnsettled = async (due: readonly Watched[]): Promise<ReadonlySet<string>> => {
    const names = new Set<string>()
    const waiting = due.some(({ priority }) => priority === 'waiting')
    const asked = { priority: waiting ? 'waiting' : 'signUp', signal: new AbortController().signal } as const
    try {
      for await (const { name } of calls.list(unsettledStatuses, asked)) names.add(name)
    } catch {
      // Then each is asked for by itself, and whoever waits for it hears what AWS says.
      return new Set()
    }
    return names
  }

  const lookAt = async (one: Watched): Promise<void> => {
    if (!watched.has(one)) return
    try {
      const view = await calls.describe(one.stack.id, one)
      const phase = view === null ? 'gone' : phaseOf(view.status)
      if (isSettled(phase)) one.resolve(phase === 'gone' ? null : view)
    } catch (error) {
      one.reject(error)
    }
  }

  return {
    settled: (stack, { priority, signal }) => {
      const { promise, resolve, reject } = Promise.withResolvers<StackView | null>()
      const leave = (): void => one.reject(signal.reason)
      const done =
        <T>(settle: (value: T) => void) =>
        (value: T): void => {
          signal.removeEventListener('abort', leave)
          watched.delete(one)
          settle(value)
        }
      const one: Watched = { stack, priority, signal, resolve: done(resolve), reject: done(reject) }
      if (signal.aborted) return Promise.reject(signal.reason as Error)
      signal.addEventListener('abort', leave, { once: true })
      watched.add(one)
      void loop()
      return promise
    },
  }
}
