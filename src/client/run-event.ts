import type { Artifact, Result, Run } from '../domain/run.ts'

/** What happens in a run, in order. The last one carries the whole run, the same object that GET answers. */
export type RunEvent = { readonly id: string } & (
  | { readonly type: 'run.created' | 'run.started'; readonly run: Pick<Run, 'id' | 'status'> }
  | { readonly type: 'stdout' | 'stderr'; readonly text: string }
  | { readonly type: 'result'; readonly result: Result }
  | { readonly type: 'artifact'; readonly artifact: Artifact }
  | { readonly type: 'run.completed'; readonly run: Run }
)

/** Null for a kind this client does not know yet. @throws {SyntaxError} when the data is not JSON */
export const parseRunEvent = ({ id, event, data }: { id: string; event: string; data: string }): RunEvent | null => {
  const body = JSON.parse(data)
  switch (event) {
    case 'run.created':
    case 'run.started':
    case 'run.completed':
      return { id, type: event, run: body }
    case 'stdout':
    case 'stderr':
      return { id, type: event, text: body.text }
    case 'result':
      return { id, type: event, result: body }
    case 'artifact':
      return { id, type: event, artifact: body }
    default:
      return null
  }
}
