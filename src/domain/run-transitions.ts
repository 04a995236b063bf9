import { isTerminal, type RunStatus, type TerminalStatus } from './run.ts'

export type RunStep =
  | { readonly kind: 'started' }
  /** Its process stops or died before it knew the end. */
  | { readonly kind: 'handed_back' }
  | { readonly kind: 'ended'; readonly status: TerminalStatus }

/** queued → running → an end; running → queued when it is handed back. An end is final: null for whatever comes after it. */
export const nextRunStatus = (status: RunStatus, step: RunStep): RunStatus | null => {
  if (isTerminal(status)) return null
  if (step.kind === 'ended') return step.status
  return step.kind === 'started' ? 'running' : 'queued'
}
