import { isBerthError } from '../domain/errors.ts'

/** Longest Retry-After that is waited for; a longer one is the caller's decision. */
const MAX_RETRY_AFTER_SECONDS = 60
const FIRST_DELAY_MS = 200
const MAX_DELAY_MS = 5_000

/** What may be repeated: `always` when a second arrival does no harm, `unstarted` when only refusals are safe, `never`. */
export type Repeat = 'always' | 'unstarted' | 'never'

/** These answers say that nothing was started, so even a POST without a key may be sent again. */
const refusals: ReadonlySet<string> = new Set(['rate_limited', 'queue_full'])
/** These may come after something happened; a second arrival must be harmless. */
const passing: ReadonlySet<string> = new Set([
  'server_unreachable',
  'tenant_provisioning',
  'berth_waking',
  'provisioning_failed',
  'runner_outdated',
  'runner_failed',
  'backend_unavailable',
  'store_unavailable',
  'identity_unavailable',
  'shutting_down',
  'idempotency_in_flight',
])

export const mayRepeat = (error: unknown, repeat: Repeat): boolean => {
  if (repeat === 'never' || !isBerthError(error)) return false
  if ((error.retryAfterSeconds ?? 0) > MAX_RETRY_AFTER_SECONDS) return false
  return refusals.has(error.code) || (repeat === 'always' && passing.has(error.code))
}

/** Milliseconds before try number `attempt` + 1: what the server asks for, else full jitter over a doubling span. */
export const delayBefore = (error: unknown, attempt: number): number => {
  const asked = isBerthError(error) ? error.retryAfterSeconds : undefined
  if (asked !== undefined) return asked * 1000
  return Math.random() * Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt)
}

/** Rejects with the signal's reason when it is aborted. */
export const sleep = (ms: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason)
    const onAbort = (): void => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', onAbort, { once: true })
  })

export interface RetryOptions {
  readonly repeat: Repeat
  /** Tries after the first. */
  readonly retries: number
  readonly signal: AbortSignal | undefined
}

export const withRetries = async <T>(act: () => Promise<T>, options: RetryOptions): Promise<T> => {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await act()
    } catch (error) {
      if (attempt >= options.retries || !mayRepeat(error, options.repeat)) throw error
      await sleep(delayBefore(error, attempt), options.signal)
    }
  }
}
