/** One rollout, or the plain loop in its place, in a process of its own: tells how long it took on its clock and how much memory. */
import { GetFunctionCommand, UpdateFunctionCodeCommand } from '@aws-sdk/client-lambda'
import { createCellClients } from '../../src/aws/clients.ts'
import type { CellClients } from '../../src/aws/cell.ts'
import { openCell } from '../../src/aws/open-cell.ts'
import { createPacer } from '../../src/aws/pacer.ts'
import { createWantedImage } from '../../src/aws/wanted-image.ts'
import { createLambdaFleet } from '../../src/backends/lambda/lambda-fleet.ts'
import { createRandomIds } from '../../src/main/random-ids.ts'
import { defaultRolloutSettings } from '../../src/rollout/rollout-options.ts'
import { runRollout } from '../../src/rollout/run-rollout.ts'
import { watchLiveHeap } from './live-heap.ts'
import { createPatientClock } from './patient-clock.ts'
import { imageOf, nameAt, SENT_AT } from './rated-fleet.ts'

const scale = Number(process.env['BENCH_SCALE'])
const clock = createPatientClock(scale)
const clients = createCellClients({ region: 'eu-west-1', deployment: 'berth' })
clients.lambda.middlewareStack.add(
  (next) => (sent) => {
    const { headers } = sent.request as { readonly headers: Record<string, string> }
    headers[SENT_AT] = String(clock.monotonicMs())
    return next(sent)
  },
  { step: 'finalizeRequest', priority: 'low', name: 'tellWhenItLeft' },
)
const { signal } = new AbortController()

/** The engine as `berth rollout start` puts it together, without a store and without runs of its own beside the self-tests. */
const rollOut = async (): Promise<void> => {
  const place = { name: 'bench', region: 'eu-west-1', deployment: 'berth' }
  const cell = await openCell({ ...place, clients, pacer: createPacer({ clock }), signal })
  const ids = createRandomIds(clock)
  const report = await runRollout(
    {
      fleet: createLambdaFleet(cell, { clock, ids }),
      wanted: createWantedImage(cell, clock),
      activity: null,
      clock,
      ids,
      events: { emit: () => undefined },
    },
    {
      target: { image: imageOf(2), version: 2 },
      // A real invoke is no faster because the clock is.
      settings: { ...defaultRolloutSettings, selfTestMs: defaultRolloutSettings.selfTestMs * scale },
      scope: { kind: 'all' },
      onUnhealthy: 'halt',
      dryRun: false,
      signal,
    },
  )
  if (report.state !== 'done' || report.failed.length > 0) throw new Error(JSON.stringify(report).slice(0, 2000))
}

/** Every second, as the SDK's own waiter does. */
const POLL_MS = 1000

const updateAndWait = async (lambda: CellClients['lambda'], FunctionName: string): Promise<void> => {
  await lambda.send(new UpdateFunctionCodeCommand({ FunctionName, ImageUri: imageOf(2) }))
  for (;;) {
    const { Configuration } = await lambda.send(new GetFunctionCommand({ FunctionName }))
    if (Configuration?.LastUpdateStatus === 'Successful') return
    await clock.sleep(POLL_MS, signal)
  }
}

const loop = async (count: number): Promise<void> => {
  for (let index = 0; index < count; index += 1) await updateAndWait(clients.lambda, nameAt(index))
}

/** Collecting garbage that often takes time, so the pace is not measured in the same round. */
const heap = process.env['BENCH_HEAP'] === 'true' ? watchLiveHeap() : null
const startedMs = clock.monotonicMs()
await (process.env['BENCH_LOOP'] === 'true' ? loop(Number(process.env['BENCH_COUNT'])) : rollOut())
const seconds = (clock.monotonicMs() - startedMs) / 1000
const peak = { residentMiB: process.resourceUsage().maxRSS / 1024, heapMiB: heap?.peakMiB() ?? 0 }
process.send?.({ seconds, ...peak }, () => process.exit())
