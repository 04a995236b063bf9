import { BerthError } from '../domain/errors.ts'

export interface LargeBodies {
  /** Runs it while it holds a place. @throws {BerthError} rate_limited when there is none */
  within<T>(source: string, read: () => Promise<T>): Promise<T>
}

const MAX = 64
/** So that nobody at one address takes the places of all. */
const MAX_OF_SOURCE = 16

/** Strangers send bodies before they are known to be strangers: what is held of large ones at once is bounded. */
export const createLargeBodies = (): LargeBodies => {
  const held = new Map<string, number>()
  let all = 0
  const add = (source: string, change: 1 | -1): void => {
    const next = (held.get(source) ?? 0) + change
    all += change
    if (next === 0) held.delete(source)
    else held.set(source, next)
  }
  return {
    async within(source, read) {
      if (all >= MAX || (held.get(source) ?? 0) >= MAX_OF_SOURCE)
        throw new BerthError('rate_limited', 'Too many large bodies are on their way at once; send it again.', {
          retryAfterSeconds: 2,
        })
      add(source, 1)
      try {
        return await read()
      } finally {
        add(source, -1)
      }
    },
  }
}
