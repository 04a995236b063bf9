import { type Figures, ratio } from './figures.ts'
import { instantAwsEnv } from './lambda-site.ts'
import { startToldProcess } from './told-process.ts'

const FLEET = 5500
const LARGE_FLEET = 50_000
/** Lambda's control plane, and what ListFunctions answers at once. */
const PER_SECOND = 15
const PAGE = 50
/** An update takes 10 to 60 s on AWS; less is in favour of the plain loop. */
const SETTLE_MS = 2000

interface Round {
  readonly count: number
  /** Functions that run the new image when it begins. @default 0 */
  readonly done?: number
  readonly scale: number
  readonly loop?: boolean
  readonly heap?: boolean
}

interface Outcome {
  /** On the clock that runs faster. */
  readonly seconds: number
  readonly residentMiB: number
  /** 0 where it was not watched. */
  readonly heapMiB: number
  readonly seen: {
    readonly asked: number
    readonly refused: number
    readonly updates: number
    readonly listings: number
  }
}

const has = <K extends string>(word: unknown, key: K): word is Record<K, number> =>
  typeof word === 'object' && word !== null && key in word

/** A stand-in and what works on it, each a process of its own. */
const play = async ({ count, done = 0, scale, loop = false, heap = false }: Round): Promise<Outcome> => {
  const env = {
    BENCH_COUNT: `${count}`,
    BENCH_DONE: `${done}`,
    BENCH_SCALE: `${scale}`,
    BENCH_SETTLE_MS: `${SETTLE_MS}`,
  }
  await using standIn = await startToldProcess('rated-aws-process.ts', { env, isWord: (word) => has(word, 'port') })
  const { port } = standIn.word
  await using worker = await startToldProcess('rollout-process.ts', {
    env: { ...env, ...instantAwsEnv(port), BENCH_LOOP: `${loop}`, BENCH_HEAP: `${heap}` },
    isWord: (word): word is Omit<Outcome, 'seen'> => has(word, 'seconds'),
  })
  const answer = await fetch(`http://127.0.0.1:${port}/seen`)
  const seen = (await answer.json()) as Outcome['seen'] & { readonly onNew: number }
  if (seen.onNew !== count) throw new Error(`${seen.onNew} of ${count} functions run the new image`)
  return { ...worker.word, seen }
}

const PACED_SCALE = 4

/** An update of each function, and the two listings that a rollout begins and ends with: without them nobody knows what to do, or that all is done. */
const NEEDED_CALLS = FLEET + 2 * Math.ceil(FLEET / PAGE)

/** One rollout of the whole fleet from its command to its report, and the plain loop over some of it. */
const measurePace = async (): Promise<Figures> => {
  const rollout = await play({ count: FLEET, scale: PACED_SCALE })
  const looped = 25
  const loop = await play({ count: looped, scale: PACED_SCALE, loop: true })
  const { asked, refused, updates, listings } = rollout.seen
  return {
    values: {
      'rollout.5500.vs_limit': ratio(rollout.seconds, NEEDED_CALLS / PER_SECOND),
      'rollout.5500.vs_updates_alone': ratio(rollout.seconds, FLEET / PER_SECOND),
      'rollout.5500.seconds': Number(rollout.seconds.toFixed(1)),
      'rollout.5500.updates': updates,
      'rollout.5500.list_pages': listings,
      'rollout.5500.requests': asked,
      'rollout.rejected_share': ratio(refused, asked),
      'rollout.serial_loop.vs_rollout': ratio((loop.seconds / looped) * FLEET, rollout.seconds),
      'rollout.serial_loop.n': looped,
    },
    omitted: {},
  }
}

/** Fast enough that only the machine is the limit: memory does not depend on the pace. */
const MEMORY_SCALE = 40
/** Of the large fleet and of the small one alike: one that was cut off near its end, and goes on. */
const DONE_SHARE = 0.9

const sizeOf = (count: number): Promise<Outcome> =>
  play({ count, done: Math.floor(count * DONE_SHARE), scale: MEMORY_SCALE, heap: true })

const measureMemory = async (): Promise<Figures> => {
  const [small, large] = [await sizeOf(FLEET), await sizeOf(LARGE_FLEET)]
  return {
    values: {
      'rollout.50000.memory_vs_5500': ratio(large.heapMiB, small.heapMiB),
      'rollout.5500.heap_mib': Number(small.heapMiB.toFixed(1)),
      'rollout.50000.heap_mib': Number(large.heapMiB.toFixed(1)),
      'rollout.50000.resident_vs_5500': ratio(large.residentMiB, small.residentMiB),
      'rollout.5500.resident_mib': Math.round(small.residentMiB),
      'rollout.50000.resident_mib': Math.round(large.residentMiB),
    },
    omitted: {},
  }
}

/** How near a rollout comes to the pace that Lambda allows, and what a larger fleet costs in memory. */
export const measureRollout = async (): Promise<readonly Figures[]> => [await measurePace(), await measureMemory()]
