import { BerthError } from '../../domain/errors.ts'
import type { Berths } from '../../domain/ports/berths.ts'
import type { Fleet } from '../../domain/ports/fleet.ts'
import type { RunnerProcess } from './runner-process.ts'
import { type SelfTestOptions, runSelfTest } from './self-test.ts'

export interface LocalFleetOptions extends SelfTestOptions {
  readonly berths: Berths
  readonly runner: RunnerProcess
}

/** All berths of this machine share its one runner, so one update reaches them all. */
export const createLocalFleet = (options: LocalFleetOptions): Fleet => ({
  async *list({ signal }) {
    const { image } = (await options.runner.hello(signal)).runner
    for await (const { berthId, partial } of options.berths.list({ signal })) if (!partial) yield { berthId, image }
  },

  async update(_berthId, image, { signal }) {
    const present = (await options.runner.hello(signal)).runner.image
    if (image !== present)
      throw new BerthError(
        'unsupported',
        `This machine runs the image ${present}; install the release with ${image} and restart the server`,
      )
    await options.runner.recycle(signal)
  },

  selfTest: (berthId, { signal }) => runSelfTest(options, berthId, signal),
})
