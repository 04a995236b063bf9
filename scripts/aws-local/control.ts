import type { Fault, Faults, PlannedFault } from './faults.ts'

/** A part of what we lay over the emulator; with it off the emulator behaves as it came. See docs/aws-local.md. */
export type Part =
  | 'boundaries'
  | 'role-names'
  | 'role-tags'
  | 'roles'
  | 'trust'
  | 'new-roles'
  | 'ranges'
  | 'properties'
  | 'reserved'
  | 'function-names'
  | 'function-states'
  | 'states'
  | 'updates'
  | 'conflicts'
  | 'dry-run'
  | 'images'
  | 'stacks'
  | 'stack-names'
  | 'tokens'
  | 'policy-variables'
  | 'simulation'

/** Where everything can be made to wait: resources of stacks, a function's readiness, its waking, a role's. */
export type Stage = 'create' | 'update' | 'delete' | 'function' | 'wake' | 'role'

export interface Switches {
  readonly off: readonly Part[]
  /** Stages at which everything waits until they are taken off this list. */
  readonly held: readonly Stage[]
  /** How long the creation of a stack takes. @default 0 */
  readonly stackCreateMs: number
  readonly stackUpdateMs: number
  readonly stackDeleteMs: number
  /** How long after its creation Lambda cannot assume a role. @default 0 */
  readonly roleMs: number
  /** How long a new function is Pending and an update in progress. @default 0 */
  readonly functionMs: number
  /** After how long without an invocation a function is Inactive; null for never. @default null */
  readonly idleMs: number | null
  /** How long a woken function is Pending. @default 0 */
  readonly wakeMs: number
  /** How long CloudFormation tries again when Lambda refuses a role or its rate. @default 20_000 */
  readonly patienceMs: number
  /** Whether Lambda's request rates are limited. @default false */
  readonly limits: boolean
  /** @default 15 */
  readonly lambdaPerSecond: number
  /** @default 100 */
  readonly getFunctionPerSecond: number
  /** How many requests a rested pool takes at once; null for one second's worth. @default null */
  readonly burst: number | null
  /** Those of a new account where nothing is said. */
  readonly quotas: Readonly<Partial<Record<'concurrency' | 'stacks' | 'roles', number>>>
}

export interface PoolUse {
  readonly requests: number
  readonly refused: number
  /** The most requests within any one second. */
  readonly mostInOneSecond: number
}

export interface FunctionState {
  readonly name: string
  readonly state: 'Active' | 'Inactive' | 'Pending' | 'Failed'
  /** As `Idle`, `ImageDeleted`, `InvalidImage`. */
  readonly reasonCode?: string
}

export interface Control {
  /** Changes the given switches alone. */
  set(switches: Partial<Switches>): Promise<void>
  setFunctionState(state: FunctionState): Promise<void>
  /** Use of Lambda's pools (`lambda`, `getFunction`), CloudFormation's own requests included. */
  calls(): Promise<Readonly<Partial<Record<'lambda' | 'getFunction', PoolUse>>>>
  forgetCalls(): Promise<void>
  fault(fault: Fault): PlannedFault
  clearFaults(): void
  /** How often each action was asked for, as `lambda:Invoke`. */
  requests(): Readonly<Record<string, number>>
}

const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

export const createControl = (deps: {
  readonly emulatorPort: number
  readonly region: string
  readonly faults: Faults
  readonly requests: ReadonlyMap<string, number>
}): Control => {
  const ask = async (body: unknown) => {
    const response = await fetch(`http://127.0.0.1:${deps.emulatorPort}/_aws-local/overlay`, {
      method: 'POST',
      body: JSON.stringify(body),
    })
    const answer = (await response.json()) as { calls: Awaited<ReturnType<Control['calls']>>; message?: string }
    if (!response.ok) throw new Error(`the overlay refused: ${answer.message}`)
    return answer
  }
  return {
    async set(switches) {
      await ask({
        switches: Object.fromEntries(Object.entries(switches).map(([key, value]) => [snakeCase(key), value])),
      })
    },
    async setFunctionState({ name, state, reasonCode = '' }) {
      await ask({ functionState: { name, state, reason_code: reasonCode, region: deps.region } })
    },
    calls: async () => (await ask({})).calls,
    async forgetCalls() {
      await ask({ forgetCalls: true })
    },
    fault: (fault) => deps.faults.plan(fault),
    clearFaults: () => deps.faults.clear(),
    requests: () => Object.fromEntries(deps.requests),
  }
}
