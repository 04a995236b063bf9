import type { BerthId } from '../domain/ids.ts'
import { defaultRunLimits } from '../domain/limits.ts'
import type { Dispatch } from '../domain/ports/dispatch.ts'
import type { Ids } from '../domain/ports/ids.ts'
import type { RunnerRequest } from '../domain/runner-protocol.ts'

export interface Probed {
  /** Null when the berth runs code as it should, else what went wrong. */
  readonly fault: string | null
  /** The runner was there already; starting it is no part of how quick it is. */
  readonly warm: boolean
}

export type Probe = (berthId: BerthId, options: { signal: AbortSignal }) => Promise<Probed>

const EXPECTED = 42
const programs: readonly Pick<RunnerRequest, 'language' | 'code'>[] = [
  { language: 'python', code: 'print("probe")\nvariables["factor"] * 7' },
  { language: 'typescript', code: 'console.log("probe")\nexport default (variables.factor as number) * 7' },
]

/** Real runs of programs with a known answer, through the way that tenants' runs take. */
export const createProbe =
  (dispatch: Pick<Dispatch, 'dispatch'>, ids: Pick<Ids, 'runId'>): Probe =>
  async (berthId, { signal }) => {
    let warm = true
    for (const { language, code } of programs) {
      const request = {
        runId: ids.runId(),
        language,
        code,
        variables: { factor: 6 },
        files: [],
        profile: 'default' as const,
        limits: defaultRunLimits,
        minRunnerVersion: 0,
      }
      const { outcome, results, logs, timings } = await dispatch.dispatch({ berthId, request, signal })
      const result = results.find(({ isMain }) => isMain)?.json
      warm &&= timings.coldStartMs === 0
      if (outcome.status !== 'succeeded')
        return { fault: `a run of ${language} ended as ${outcome.status} ${outcome.detail}`, warm }
      if (result !== EXPECTED || logs.stdout !== 'probe\n')
        return { fault: `a run of ${language} gave another result than it has`, warm }
    }
    return { fault: null, warm }
  }
