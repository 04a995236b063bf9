import { defaultRunLimits } from '../../src/domain/limits.ts'
import type { RunnerRequest } from '../../src/domain/runner-protocol.ts'

/** What Berth sends to its runner. */
export const runEvent = (code: string, more: Partial<RunnerRequest> = {}): RunnerRequest => ({
  protocol: 1,
  kind: 'run',
  runId: 'r0000000000000001',
  language: 'python',
  code,
  variables: {},
  files: [],
  profile: 'default',
  limits: defaultRunLimits,
  minRunnerVersion: 0,
  prefix: { kind: 's3', bucket: 'bucket', files: 'berths/b1/files/', run: 'berths/b1/runs/r1/' },
  ...more,
})
