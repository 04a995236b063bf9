import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const EVERY_MS = 500

export interface LiveHeap extends Disposable {
  /** The most that was still in use right after the garbage was collected. */
  readonly peakMiB: () => number
}

/** Collects the garbage twice a second and looks what is left. The peak of the resident set tells rather how lazily V8 does it. */
export const watchLiveHeap = (): LiveHeap => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  let peakBytes = 0
  const look = (): void => {
    collect()
    peakBytes = Math.max(peakBytes, process.memoryUsage().heapUsed)
  }
  const looking = setInterval(look, EVERY_MS).unref()
  return {
    peakMiB: () => peakBytes / 1024 ** 2,
    [Symbol.dispose]: () => clearInterval(looking),
  }
}
