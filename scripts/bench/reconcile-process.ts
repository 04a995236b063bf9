/** One comparison with Firebase, as the command makes it, in a process of its own: tells its report, how long it took and how much memory. */
import { openFirebaseUsers } from '../../src/cli/from-firebase/firebase-users.ts'
import { reconcileFirebase } from '../../src/cli/from-firebase/reconcile-firebase.ts'
import { createBerth } from '../../src/client/berth.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'
import { watchLiveHeap } from './live-heap.ts'

const { BENCH_PROJECT: project = '', BENCH_APPLY, BERTH_URL: baseUrl = '', BERTH_KEY: key } = process.env
const clock = createSystemClock()
const { signal } = new AbortController()
/** A heap of some 20 MiB is collected in a few milliseconds, twice a second. */
const heap = watchLiveHeap()
const startedMs = clock.monotonicMs()
const users = await openFirebaseUsers(project, { clock, signal })
const { report, stopped } = await reconcileFirebase(
  { tenants: createBerth({ baseUrl, key }).tenants, users, clock },
  {
    project,
    identityTenants: [''],
    apply: BENCH_APPLY === 'true',
    anonymous: false,
    deferred: false,
    deleteGone: false,
    // As fast as it goes: what is measured is the work, not the pace.
    perMinute: Number.MAX_SAFE_INTEGER,
    onProgress: () => undefined,
    signal,
  },
)
if (stopped !== null) throw stopped.error
const seconds = (clock.monotonicMs() - startedMs) / 1000
process.send?.({ seconds, heapMiB: heap.peakMiB(), ...report }, () => process.exit())
