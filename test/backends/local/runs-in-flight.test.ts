import { expect, test } from 'vitest'
import { RunsInFlight } from '../../../src/backends/local/runs-in-flight.ts'
import { defaultRunLimits } from '../../../src/domain/limits.ts'
import type { RunnerRequest } from '../../../src/domain/runner-protocol.ts'
import { createSystemClock } from '../../../src/main/system-clock.ts'

const request = (runId: string): RunnerRequest => ({
  protocol: 1,
  kind: 'run',
  runId,
  language: 'python',
  code: '1',
  variables: {},
  files: [],
  profile: 'default',
  limits: defaultRunLimits,
  minRunnerVersion: 0,
  prefix: { kind: 'folder', files: '/files', run: '/run' },
})

test('a run that was canceled while the runner started again is not sent again, and the others are', async () => {
  const runs = new RunsInFlight(createSystemClock())
  const stop = new AbortController()
  const canceled = runs.add(request('canceled'), { signal: stop.signal })
  void runs.add(request('waiting'), { signal: new AbortController().signal })
  stop.abort(new Error('the caller went away'))

  const sent: string[] = []
  runs.resend(({ runId }) => sent.push(runId))

  expect(sent).toEqual(['waiting'])
  await expect(canceled).rejects.toThrow('the caller went away')
  expect(runs.size).toBe(1)
})
