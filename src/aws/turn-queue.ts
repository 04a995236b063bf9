import type { Priority } from './pacer.ts'

const priorities = ['waiting', 'signUp', 'rollout'] as const satisfies readonly Priority[]

export interface Turn {
  readonly cost: number
  readonly grant: () => void
}

export interface TurnQueue {
  /** Resolves when it is granted; leaves the queue with the signal's reason. */
  join(options: { priority: Priority; cost: number; signal: AbortSignal }): Promise<void>
  /** Who goes next: by priority, then by age. */
  head(): Turn | null
  /** Grants the turn of the head. */
  grantHead(): void
}

/** `onChange` is called when there is another head than before. */
export const createTurnQueue = (onChange: () => void): TurnQueue => {
  const queues: Readonly<Record<Priority, Set<Turn>>> = { waiting: new Set(), signUp: new Set(), rollout: new Set() }

  const first = (): { readonly queue: Set<Turn>; readonly turn: Turn } | null => {
    for (const priority of priorities) for (const turn of queues[priority]) return { queue: queues[priority], turn }
    return null
  }

  return {
    join: ({ priority, cost, signal }) => {
      if (signal.aborted) return Promise.reject(signal.reason as Error)
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const leave = (): void => {
        const wasHead = first()?.turn === turn
        queues[priority].delete(turn)
        reject(signal.reason as Error)
        if (wasHead) onChange()
      }
      const grant = (): void => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const turn: Turn = { cost, grant }
      queues[priority].add(turn)
      signal.addEventListener('abort', leave, { once: true })
      if (first()?.turn === turn) onChange()
      return promise
    },
    head: () => first()?.turn ?? null,
    grantHead: () => {
      const next = first()
      next?.queue.delete(next.turn)
      next?.turn.grant()
    },
  }
}
