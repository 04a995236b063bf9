import type { Artifact, Result, Run } from '../domain/run.ts'

/** `id` says how far the reader has come, so any process can resume from it. */
export type RunEvent = { readonly id: string } & (
  | { readonly type: 'run.created'; readonly data: Pick<Run, 'id' | 'language' | 'createdAt'> }
  | { readonly type: 'run.started'; readonly data: Pick<Run, 'id' | 'startedAt'> }
  | { readonly type: 'stdout' | 'stderr'; readonly data: { readonly text: string } }
  | { readonly type: 'result'; readonly data: Result }
  | { readonly type: 'artifact'; readonly data: Artifact }
  | { readonly type: 'run.completed'; readonly data: Run }
)
