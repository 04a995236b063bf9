export interface Clock {
  now(): Date
  /** Milliseconds that only ever rise; for durations and deadlines. */
  monotonicMs(): number
  /** Rejects with the signal's reason when it is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}
