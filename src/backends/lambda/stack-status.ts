/**
 * What a stack's status means for its berth. `working`: wait. `spoiled`: can only be deleted, and holds nothing of value (files are not in
 * it). `unfinished_update`: the function is there, and the update must be rolled back first.
 */
export type StackPhase = 'gone' | 'working' | 'deleting' | 'whole' | 'spoiled' | 'unfinished_update'

/** @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html (2026-11-22): every status there is */
export const phases = {
  CREATE_IN_PROGRESS: 'working',
  CREATE_COMPLETE: 'whole',
  CREATE_FAILED: 'spoiled',
  // "Only a delete operation can be performed."
  ROLLBACK_COMPLETE: 'spoiled',
  ROLLBACK_FAILED: 'spoiled',
  ROLLBACK_IN_PROGRESS: 'working',
  // Left by a change set that nobody executed; counts against the quota of stacks.
  REVIEW_IN_PROGRESS: 'spoiled',
  DELETE_IN_PROGRESS: 'deleting',
  DELETE_COMPLETE: 'gone',
  DELETE_FAILED: 'spoiled',
  UPDATE_IN_PROGRESS: 'working',
  UPDATE_COMPLETE_CLEANUP_IN_PROGRESS: 'working',
  UPDATE_COMPLETE: 'whole',
  UPDATE_FAILED: 'unfinished_update',
  UPDATE_ROLLBACK_IN_PROGRESS: 'working',
  UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS: 'working',
  UPDATE_ROLLBACK_COMPLETE: 'whole',
  UPDATE_ROLLBACK_FAILED: 'unfinished_update',
  IMPORT_IN_PROGRESS: 'working',
  IMPORT_COMPLETE: 'whole',
  IMPORT_ROLLBACK_IN_PROGRESS: 'working',
  IMPORT_ROLLBACK_COMPLETE: 'whole',
  IMPORT_ROLLBACK_FAILED: 'spoiled',
} as const satisfies Readonly<Record<string, StackPhase>>

export type StackStatus = keyof typeof phases

export const isStackStatus = (status: string | undefined): status is StackStatus =>
  status !== undefined && Object.hasOwn(phases, status)

export const phaseOf = (status: StackStatus): StackPhase => phases[status]

/** Nothing is under way: what was asked of the stack has ended, well or badly. */
export const isSettled = (phase: StackPhase): boolean => phase !== 'working' && phase !== 'deleting'

/** Statuses in which a stack must be waited for. */
export const unsettledStatuses: readonly StackStatus[] = Object.keys(phases)
  .filter((status) => isStackStatus(status))
  .filter((status) => !isSettled(phaseOf(status)))

/** All but those of stacks that are no more; ListStacks remembers these for 90 days. */
export const livingStatuses: readonly StackStatus[] = Object.keys(phases)
  .filter((status) => isStackStatus(status))
  .filter((status) => phaseOf(status) !== 'gone')
