import type { Artifact, Result, Run } from '../domain/run.ts'

/** What happens in a run, in order. The last one carries the whole run, the same object that GET answers. */
export type RunEvent = { readonly id: string } & (
  | { readonly type: 'run.created'; readonly data: Pick<Run, 'id' | 'language' | 'createdAt'> }
  | { readonly type: 'run.started'; readonly data: Pick<Run, 'id' | 'startedAt'> }
  | { readonly type: 'stdout' | 'stderr'; readonly data: { readonly text: string } }
  | { readonly type: 'result'; readonly data: Result }
  | { readonly type: 'artifact'; readonly data: Artifact }
  | { readonly type: 'run.completed'; readonly data: Run }
)

const types = new Set<string>([
  'run.created',
  'run.started',
  'stdout',
  'stderr',
  'result',
  'artifact',
  'run.completed',
] satisfies RunEvent['type'][])

/** Null for a kind that this client does not know yet. @throws {SyntaxError} when the data is not JSON */
export const parseRunEvent = ({ id, event, data }: { id: string; event: string; data: string }): RunEvent | null =>
  types.has(event) ? ({ id, type: event, data: JSON.parse(data) } as RunEvent) : null
