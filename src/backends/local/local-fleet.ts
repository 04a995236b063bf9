import { BerthError } from '../../domain/errors.ts'
import type { BerthId } from '../../domain/ids.ts'
import type { Berths } from '../../domain/ports/berths.ts'
import type { Events } from '../../domain/ports/events.ts'
import type { Fleet, SelfTestReport } from '../../domain/ports/fleet.ts'
import type { RunnerImage } from '../../domain/wanted-image.ts'
import { createLocalDispatch } from './local-dispatch.ts'
import { orAborted } from './or-aborted.ts'
import type { RunnerImages } from './runner-images.ts'
import type { Runner, RunnerSlot } from './runner-slot.ts'
import { type SelfTestOptions, runSelfTest } from './self-test.ts'

export interface LocalFleetOptions extends SelfTestOptions {
  readonly berths: Berths
  readonly runner: RunnerSlot
  readonly images: RunnerImages
  readonly events: Events
}

export interface LocalFleet extends Fleet {
  /** What the next run gets. */
  present(): RunnerImage
  /** What lies in the runner's folder now, and an update can bring. @throws {BerthError} config_invalid */
  onDisk(): Promise<RunnerImage>
  /** Where there is no berth yet in which a runner could be tested: whether it starts is all that counts. */
  updateAll(image: string, options: { signal: AbortSignal }): Promise<void>
}

/** All berths of this machine share its one runner, so one update reaches them all. */
export const createLocalFleet = (options: LocalFleetOptions): LocalFleet => {
  const { runner, images, berths, events, sandboxLevels } = options
  /** By one update since the last listing, for all who share it. */
  let brought: string | null = null
  const underWay = new Map<string, Promise<void>>()

  const bring = async (image: string, berthId: BerthId | null): Promise<void> => {
    try {
      // Without namespaces two runners would each sweep away what the other's runs need.
      await assertSandboxed(runner, sandboxLevels)
      const next = await images.find(image)
      await runner.replace(next, async (candidate, signal) => {
        await assertSandboxed(candidate, sandboxLevels)
        if (berthId !== null) await prove(options, { candidate, berthId, signal })
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
  const brings = (image: string, berthId: BerthId | null, signal: AbortSignal): Promise<void> => {
    const work = underWay.get(image) ?? bring(image, berthId)
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
      if (image !== runner.kept.image) return brings(image, berthId, signal)
      if (image !== brought) await runner.recycle(signal)
    },

    selfTest: (berthId, { signal }) => runSelfTest(options, berthId, signal),
    present: () => imageOf(runner.kept),
    onDisk: async () => imageOf(await images.keep()),
    updateAll: async (image, { signal }) => {
      if (image !== runner.kept.image) await brings(image, null, signal)
    },
  }
}

const imageOf = ({ image, version }: RunnerImage): RunnerImage => ({ image, version })

const assertSandboxed = async (runner: Runner, sandboxLevels: readonly string[]): Promise<void> => {
  const { level } = (await runner.hello(new AbortController().signal)).runner
  if (sandboxLevels.includes(level)) return
  throw new BerthError(
    'unsupported',
    `A runner at level ${level} has no sandbox, and two of them cannot work side by side; restart the server to take another one into use`,
  )
}

/** In the berth, with real code, before any run of a tenant's goes there. */
const prove = async (
  options: LocalFleetOptions,
  { candidate, berthId, signal }: { candidate: Runner; berthId: BerthId; signal: AbortSignal },
): Promise<void> => {
  const dispatch = createLocalDispatch({ ...options, runner: candidate, maxConcurrency: 1 })
  const report = await runSelfTest({ ...options, dispatch }, berthId, signal)
  if (!report.passed) throw notWell(report)
}

const notWell = ({ checks }: SelfTestReport): BerthError => {
  const wrong = checks.filter(({ passed }) => !passed).map(({ name, detail }) => `${name} (${detail})`)
  return new BerthError(
    'backend_unavailable',
    `The self-test of the new runner failed: ${wrong.join(', ')}. The one before goes on`,
  )
}
