import { setTimeout as delay } from 'node:timers/promises'
import { isBerthError } from '../domain/errors.ts'
import { type AwsContext, awsError, isThrottled, isTransient } from './aws-errors.ts'
import type { Cell } from './cell.ts'
import type { Priority, RequestPool } from './pacer.ts'

const TRIES = 6
const BASE_MS = 200

export interface PacedCall extends Omit<AwsContext, 'cell'> {
  readonly pool: RequestPool
  readonly priority: Priority
  /** Requests that AWS counts for it. @default 1 */
  readonly cost?: number
  readonly signal: AbortSignal
  /** Errors that the caller handles by name; they are thrown as AWS made them. */
  readonly expected?: (error: unknown) => boolean
}

/**
 * Sends one request of AWS's control plane when it is its turn. The clients do not repeat by themselves, so every try is counted;
 * what is sent here must do no harm when it arrives twice. @throws {BerthError} backend_unavailable, internal; the signal's reason
 */
export const pacedCall = async <T>(
  { name, pacer }: Pick<Cell, 'name' | 'pacer'>,
  { pool, priority, cost = 1, signal, expected = () => false, operation, stack }: PacedCall,
  send: (options: { abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> => {
  for (let attempt = 1; ; attempt += 1) {
    await pacer.take(pool, { priority, cost, signal })
    try {
      return await send({ abortSignal: signal })
    } catch (error) {
      signal.throwIfAborted()
      if (isThrottled(error)) pacer.rejected(pool)
      if (expected(error) || isBerthError(error)) throw error
      if (attempt >= TRIES || !(isThrottled(error) || isTransient(error)))
        throw awsError(error, { cell: name, operation, ...(stack === undefined ? {} : { stack }) })
      await delay(Math.random() * BASE_MS * 2 ** attempt, undefined, { signal }).catch(() => signal.throwIfAborted())
    }
  }
}
