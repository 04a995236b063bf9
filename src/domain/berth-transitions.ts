import type { BerthState } from './tenant.ts'

export type BerthEventKind = 'self_test_passed' | 'gave_up' | 'lost' | 'tried_again' | 'disowned' | 'destroyed'

const table: Readonly<Record<BerthState, Partial<Record<BerthEventKind, BerthState>>>> = {
  provisioning: { self_test_passed: 'ready', gave_up: 'failed', disowned: 'deprovisioning' },
  ready: { lost: 'provisioning', disowned: 'deprovisioning' },
  failed: { tried_again: 'provisioning', disowned: 'deprovisioning' },
  deprovisioning: { destroyed: 'deleted' },
  deleted: {},
}

/**
 * provisioning → ready | failed; ready → provisioning (its resources were lost); failed → provisioning (tried again);
 * all of these → deprovisioning → deleted, from where nothing leads back. Null when the event means nothing in this state.
 */
export const nextBerthState = (state: BerthState, event: BerthEventKind): BerthState | null =>
  table[state][event] ?? null
