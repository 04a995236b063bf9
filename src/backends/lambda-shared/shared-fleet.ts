import type { Cell } from '../../aws/cell.ts'
import { BerthError } from '../../domain/errors.ts'
import type { BerthId } from '../../domain/ids.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import type { Fleet, SelfTestReport } from '../../domain/ports/fleet.ts'
import { RUNNER_PROTOCOL } from '../../domain/runner-protocol.ts'
import { invokeBerth } from '../lambda/invoke-berth.ts'
import { type Asking, type FunctionView, readNamedFunction } from '../lambda/lambda-functions.ts'
import { updateFunction } from '../lambda/lambda-update.ts'
import { selfTestAnswer } from '../lambda/self-test-answer.ts'
import { isMarked, markedBerths } from './marks.ts'
import { sharedFunction, sharedNameOf } from './shared-function.ts'

export interface SharedFleet extends Fleet {
  /** Brings the one function, and with it every berth, to an image. @throws {BerthError} as an update of one berth's function */
  updateAll(image: string, options: { signal: AbortSignal }): Promise<void>
  has(berthId: BerthId, options: { signal: AbortSignal }): Promise<boolean>
}

export const readSharedFunction = (cell: Cell, asking: Asking): Promise<FunctionView | null> =>
  readNamedFunction(cell, sharedNameOf(cell.deployment), asking)

/** One image for all berths. */
export const createSharedFleet = (cell: Cell, { clock }: { clock: Clock }): SharedFleet => ({
  async *list({ signal }) {
    const view = await readSharedFunction(cell, { priority: 'rollout', signal })
    // Without the function there is nothing that runs an image.
    if (view === null) return
    for await (const berthId of markedBerths(cell, signal)) yield { berthId, image: view.image, together: true }
  },

  async update(berthId, image, { signal }) {
    await assertThere(cell, berthId, signal)
    const view = await readSharedFunction(cell, { priority: 'waiting', signal })
    if (view?.image === image) return
    throw new BerthError(
      'unsupported',
      'One function serves all tenants here, so that no single berth can have another image; a rollout updates the function itself',
      { data: { berthId, image, runs: view?.image } },
    )
  },

  selfTest: (berthId, { signal }) => selfTest(cell, berthId, signal),

  has: (berthId, { signal }) => isMarked(cell, berthId, signal),

  updateAll: (image, { signal }) =>
    updateFunction(cell, {
      functionName: sharedNameOf(cell.deployment),
      image,
      clock,
      priority: 'rollout',
      signal,
    }),
})

const assertThere = async (cell: Cell, berthId: BerthId, signal: AbortSignal): Promise<void> => {
  if (!(await isMarked(cell, berthId, signal))) throw new BerthError('not_found', `There is no berth ${berthId}`)
}

/** In an environment of this berth: what is examined there is what its runs will find. */
const selfTest = async (cell: Cell, berthId: BerthId, signal: AbortSignal): Promise<SelfTestReport> => {
  await assertThere(cell, berthId, signal)
  const { bucket, noEgress } = cell.foundation
  const event = {
    protocol: RUNNER_PROTOCOL,
    kind: 'self_test',
    tenant: berthId,
    bucket,
    prefix: `berths/${berthId}/`,
    file: null,
    token: null,
    // The role reads nobody's files, this berth's neither: it has none.
    otherPrefix: `berths/${berthId}/`,
    noEgress,
  }
  const invoked = await invokeBerth(cell, { berthId, event, target: sharedFunction(cell).target(berthId), signal })
  const answer = selfTestAnswer(invoked)
  const view = await readSharedFunction(cell, { priority: 'signUp', signal })
  const checks = withMissing(answer.checks, noEgress)
  const passed = answer.passed && checks.every((check) => check.passed)
  return { passed, runnerVersion: answer.runnerVersion, image: view?.image ?? answer.image, checks }
}

/** A runner that leaves out what it does not know has shown nothing. */
const withMissing = (checks: SelfTestReport['checks'], noEgress: boolean): SelfTestReport['checks'] => {
  const made = new Set(checks.map(({ name }) => name))
  const needed = ['other_prefix_refused', ...(noEgress ? ['no_egress'] : [])]
  const missing = needed.filter((name) => !made.has(name))
  return [...checks, ...missing.map((name) => ({ name, passed: false, detail: 'the runner did not make this check' }))]
}
