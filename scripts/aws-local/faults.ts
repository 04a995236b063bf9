import type { Action } from './action.ts'
import type { AwsError } from './answer.ts'

/**
 * What happens in place of the true answer. `throttle`, `internal_error`, `error` and `reset` come before the request has reached
 * AWS; `lose_answer` and `truncate` come after it has taken effect; `hold` and `delay` let it through later.
 */
export type FaultKind =
  | { readonly kind: 'throttle' | 'internal_error' | 'reset' | 'lose_answer' | 'truncate' | 'hold' }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'error'; readonly error: AwsError }

export type Fault = FaultKind & {
  /** As `Invoke` or `CreateStack`; `*` for any. */
  readonly action: string
  /** As `lambda`; any without it. */
  readonly service?: string
  /** Only requests whose path or form contains this, as a function's or stack's name. */
  readonly containing?: string
  /** How many requests it befalls. @default 1 */
  readonly times?: number
}

export interface PlannedFault extends Disposable {
  /** How many requests it has befallen. */
  readonly fired: number
  /** Lets go what it holds, and no further request is held. */
  release(): void
  /** Resolves when it has befallen a request. */
  readonly firstFired: Promise<void>
}

export interface Faults {
  plan(fault: Fault): PlannedFault
  clear(): void
  /** What befalls this request; null for nothing. */
  next(action: Action, text: string): Befallen | null
}

export interface Befallen {
  readonly fault: Fault
  /** Resolves when a held request may go on. */
  readonly released: Promise<void>
}

interface Entry {
  readonly fault: Fault
  left: number
  fired: number
  readonly first: PromiseWithResolvers<void>
  readonly gate: PromiseWithResolvers<void>
}

const befalls = ({ fault }: Entry, action: Action, text: string): boolean =>
  (fault.action === '*' || fault.action === action.name) &&
  (fault.service === undefined || fault.service === action.service) &&
  (fault.containing === undefined || text.includes(fault.containing))

export const createFaults = (): Faults => {
  const entries = new Set<Entry>()

  const drop = (entry: Entry): void => {
    entries.delete(entry)
    entry.gate.resolve()
  }

  return {
    plan(fault) {
      const entry: Entry = {
        fault,
        left: fault.times ?? 1,
        fired: 0,
        first: Promise.withResolvers(),
        gate: Promise.withResolvers(),
      }
      entries.add(entry)
      return {
        get fired() {
          return entry.fired
        },
        firstFired: entry.first.promise,
        release: () => drop(entry),
        [Symbol.dispose]: () => drop(entry),
      }
    },
    clear() {
      for (const entry of entries) drop(entry)
    },
    next(action, text) {
      const entry = [...entries].find((candidate) => candidate.left > 0 && befalls(candidate, action, text))
      if (entry === undefined) return null
      entry.left -= 1
      entry.fired += 1
      entry.first.resolve()
      return { fault: entry.fault, released: entry.gate.promise }
    },
  }
}
