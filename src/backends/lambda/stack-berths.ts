import type { Cell } from '../../aws/cell.ts'
import type { Priority } from '../../aws/pacer.ts'
import type { WantedImage } from '../../aws/wanted-image.ts'
import type { BerthId } from '../../domain/ids.ts'
import type { BerthResources, Berths } from '../../domain/ports/berths.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import { listBerths } from './berth-listing.ts'
import { driftOf } from './berth-drift.ts'
import { isLogGroupThere, isRoleThere, lookAtFunction } from './berth-parts.ts'
import { resumeBerth, standingOf, suspendBerth } from './berth-standing.ts'
import { createBerth } from './create-berth.ts'
import { destroyBerth, hasObjects } from './destroy-berth.ts'
import { createS3Owners } from './s3-owners.ts'
import { createStackCalls } from './stack-calls.ts'
import type { Asked } from './stack-reads.ts'
import type { StackParts } from './stack-removal.ts'
import { phaseOf } from './stack-status.ts'
import { upgradeStack, type UpgradeOutcome } from './stack-upgrade.ts'
import { createStackWatch } from './stack-watch.ts'

export interface StackBerthsDeps {
  readonly cell: Cell
  readonly clock: Clock
  readonly wantedImage: Pick<WantedImage, 'read'>
}

export interface StackBerthsOptions {
  /** How often a stack is looked at while it changes. @default 2000 to 5000 */
  readonly pollMs?: { readonly least: number; readonly most: number }
}

export interface StackBerths extends Berths {
  /** Brings a berth's stack to the present template; its image stays. @throws {BerthError} not_found, backend_unavailable */
  upgrade(berthId: BerthId, options: { signal: AbortSignal }): Promise<UpgradeOutcome>
}

/** What a provisioner must allow for when berths are stacks. A stack takes about a minute, a function in a VPC up to 30 to go. */
export const stackWork = {
  // 4 stacks a second that take a minute each are 240 at once.
  concurrency: 250,
  attemptTimeoutMs: 40 * 60_000,
  // With these pauses some 15 minutes: what a rate or a role that nobody knows yet needs, and no more than an operator can bear.
  maxAttempts: 10,
  retryBaseMs: 4000,
  retryMaxMs: 300_000,
} as const

/** Berths as CloudFormation stacks from `templates/tenant.yaml`, with a prefix in the cell's bucket. */
export const createStackBerths = (deps: StackBerthsDeps, options: StackBerthsOptions = {}): StackBerths => {
  const { cell, clock } = deps
  const calls = createStackCalls(cell)
  const watch = createStackWatch({ calls, clock }, options.pollMs ?? { least: 2000, most: 5000 })
  const parts = { ...deps, calls, watch }
  return {
    backend: 'lambda',
    owners: createS3Owners(cell),
    create: async (berthId, { signal, waiting = false }) =>
      createBerth(parts, berthId, ask(signal, waiting ? 'waiting' : 'signUp')),
    find: async (berthId, { signal }) => findBerth(parts, berthId, ask(signal, 'signUp')),
    destroy: async (berthId, { signal }) => destroyBerth(parts, berthId, ask(signal, 'signUp')),
    async *list({ signal }) {
      for await (const found of listBerths(cell, calls, ask(signal, 'rollout')))
        yield { ...found, backend: 'lambda', cell: cell.name }
    },
    // An operator who suspends waits for it, and every second counts.
    suspend: async (berthId, { signal }) => suspendBerth(parts, berthId, ask(signal, 'waiting')),
    resume: async (berthId, { signal }) => resumeBerth(parts, berthId, ask(signal, 'waiting')),
    standing: async (berthId, { signal }) => standingOf(parts, berthId, ask(signal, 'rollout')),
    drift: async (berthId, { signal }) => driftOf(cell, berthId, ask(signal, 'rollout')),
    upgrade: async (berthId, { signal }) => upgradeStack(parts, berthId, ask(signal, 'rollout')),
  }
}

const ask = (signal: AbortSignal, priority: Priority): Asked => {
  signal.throwIfAborted()
  return { priority, signal }
}

const findBerth = async (
  { cell, calls }: Pick<StackParts, 'cell' | 'calls'>,
  berthId: BerthId,
  asked: Asked,
): Promise<BerthResources | null> => {
  const stack = await calls.describe(calls.named(berthId), asked)
  const [view, role, logGroup, objects] = await Promise.all([
    lookAtFunction(cell, berthId, asked),
    isRoleThere(cell, berthId, asked),
    isLogGroupThere(cell, berthId, asked),
    stack === null && hasObjects(cell, berthId, asked.signal),
  ])
  const whole = stack !== null && phaseOf(stack.status) === 'whole' && view !== null && role && logGroup
  const nothing = stack === null && view === null && !role && !logGroup && !objects
  return nothing ? null : { berthId, partial: !whole }
}
