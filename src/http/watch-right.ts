import { type BerthError, isBerthError } from '../domain/errors.ts'

/** The right of a caller whose answer goes on for minutes. */
export interface WatchedRight extends Disposable {
  /** Aborted with why the caller may read no longer. */
  readonly signal: AbortSignal
}

export const isRefusal = (error: unknown): error is BerthError =>
  isBerthError(error) && (error.code === 'unauthenticated' || error.code === 'forbidden')

/** A key that is revoked, or a token that ends, ends the answer too. Whoever knows about rights may be out of reach meanwhile. */
export const watchRight = (recheck: () => Promise<void>, everyMs: number): WatchedRight => {
  const lost = new AbortController()
  const check = async (): Promise<void> => {
    try {
      await recheck()
    } catch (error) {
      if (isRefusal(error)) lost.abort(error)
    }
  }
  const timer = setInterval(() => void check(), everyMs)
  return { signal: lost.signal, [Symbol.dispose]: () => clearInterval(timer) }
}
