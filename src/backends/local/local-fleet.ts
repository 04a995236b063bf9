import { BerthError } from '../../domain/errors.ts'
import type { Berths } from '../../domain/ports/berths.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import type { Events } from '../../domain/ports/events.ts'
import type { Fleet } from '../../domain/ports/fleet.ts'
import type { RunnerImage } from '../../domain/wanted-image.ts'
import { orAborted } from './or-aborted.ts'
import type { RunnerImages } from './runner-images.ts'
import type { Runner, RunnerSlot } from './runner-slot.ts'
import { assertFit } from './candidate-proof.ts'
import { type SelfTestOptions, runSelfTest } from './self-test.ts'

export interface LocalFleetOptions extends SelfTestOptions {
  readonly berths: Berths
  readonly runner: RunnerSlot
  readonly images: RunnerImages
  readonly events: Events
  readonly clock: Clock
  /** Removes what runners other than these have left. */
  readonly sweep: (living: ReadonlySet<string>) => Promise<void>
}

export interface LocalFleet extends Fleet {
  /** What the next run gets. */
  present(): RunnerImage
  /** What lies in the runner's folder now, and an update can bring. @throws {BerthError} config_invalid */
  onDisk(): Promise<RunnerImage>
  /** Also where there is no berth yet. */
  updateAll(image: string, options: { signal: AbortSignal }): Promise<void>
  /** An update could bring it, whatever lies in the runner's folder. */
  keeps(image: string): Promise<boolean>
  /** Removes the copies of all runners but these and those that live, and what those that do not live left behind. */
  keepOnly(images: readonly string[]): Promise<void>
  /** When no runner is being replaced, also by an update that nobody waits for any more. */
  settled(): Promise<void>
}

/** All berths of this machine share its one runner, so one update reaches them all. */
export const createLocalFleet = (options: LocalFleetOptions): LocalFleet => {
  const { runner, images, berths, events, sandboxLevels } = options
  /** By one update since the last listing, for all who share it. */
  let brought: string | null = null
  const underWay = new Map<string, Promise<void>>()

  const bring = async (image: string): Promise<void> => {
    try {
      await assertSandboxed(runner, sandboxLevels)
      const next = await images.find(image)
      await runner.replace(next, async (candidate, signal) => {
        await assertSandboxed(candidate, sandboxLevels)
        await assertFit(options, { candidate, present: runner, next, signal })
      })
      brought = image
    } catch (error) {
      events.emit({ code: 'runner.not_replaced', level: 'error', detail: { image }, error })
      throw error
    } finally {
      underWay.delete(image)
    }
  }
  /** Others may wait for the same, so nobody's signal ends it. */
  const brings = (image: string, signal: AbortSignal): Promise<void> => {
    const work = underWay.get(image) ?? bring(image)
    underWay.set(image, work)
    return orAborted(work, signal)
  }

  return {
    async *list({ signal }) {
      brought = null
      for await (const { berthId, partial } of berths.list({ signal }))
        if (!partial) yield { berthId, image: runner.kept.image, together: true }
    },

    async update(berthId, image, { signal }) {
      if ((await berths.find(berthId, { signal })) === null)
        throw new BerthError('not_found', `There is no berth ${berthId}`)
      if (image !== runner.kept.image) return brings(image, signal)
      if (image !== brought) await runner.recycle(signal)
    },

    selfTest: (berthId, { signal }) => runSelfTest(options, berthId, signal),
    present: () => imageOf(runner.kept),
    onDisk: async () => imageOf(await images.keep()),
    updateAll: async (image, { signal }) => {
      if (image !== runner.kept.image) await brings(image, signal)
    },
    keeps: async (image) => (await images.kept(image)) !== null,
    keepOnly: async (names) => {
      const used = new Set([...runner.living, ...underWay.keys()])
      await images.keepOnly([...names, ...used])
      await options.sweep(used)
    },
    settled: async () => void (await Promise.allSettled(underWay.values())),
  }
}

const imageOf = ({ image, version }: RunnerImage): RunnerImage => ({ image, version })

const assertSandboxed = async (runner: Runner, sandboxLevels: readonly string[]): Promise<void> => {
  const { level } = (await runner.hello(new AbortController().signal)).runner
  if (sandboxLevels.includes(level)) return
  throw new BerthError(
    'unsupported',
    `At level ${level} there is no sandbox, and a runner ends every process of its user that began after it: two cannot work side by side. Restart the server: it starts with what is installed`,
  )
}
