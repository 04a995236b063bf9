import type { Cell } from '../../aws/cell.ts'
import { BerthError } from '../../domain/errors.ts'
import type { BerthResources, Berths } from '../../domain/ports/berths.ts'
import { createMarkOwners } from './mark-owners.ts'
import { hasMark, markedBerths, putMark, removeMark } from './marks.ts'
import { readSharedFunction } from './shared-fleet.ts'
import { sharedNameOf } from './shared-function.ts'

/**
 * Berths of the shared function. A berth is its mark: with it there is a berth, without it there is none, and nothing in between.
 * Environments that a tenant had live on for some minutes after its berth was destroyed; Lambda offers no way to end them, and without the
 * berth's id, which is never given again, nobody reaches them.
 */
export const createMarkedBerths = (cell: Cell): Berths => ({
  backend: 'lambda-shared',
  owners: createMarkOwners(cell),

  async create(berthId, { signal, waiting = false }) {
    signal.throwIfAborted()
    const view = await readSharedFunction(cell, { priority: waiting ? 'waiting' : 'signUp', signal })
    if (view === null) throw notDeployed(cell)
    // A new mark would no longer say whose the berth is.
    if (!(await hasMark(cell, berthId, signal))) await putMark(cell, berthId, signal)
  },

  async find(berthId, { signal }): Promise<BerthResources | null> {
    signal.throwIfAborted()
    return (await hasMark(cell, berthId, signal)) ? { berthId, partial: false } : null
  },

  async destroy(berthId, { signal }) {
    signal.throwIfAborted()
    const name = `shared/${berthId}`
    const count = await removeMark(cell, berthId, signal)
    if (await hasMark(cell, berthId, signal))
      throw new BerthError('backend_unavailable', `The mark of berth ${berthId} is there again after it was deleted`)
    return { deleted: [{ kind: 'mark', name, count }], verifiedAbsent: [{ kind: 'mark', name }] }
  },

  async *list({ signal }) {
    for await (const berthId of markedBerths(cell, signal))
      yield { berthId, partial: false, backend: 'lambda-shared', cell: cell.name }
  },

  // One role and one function serve all, so there is nothing to take from one tenant: refusing the runs is all there is.
  suspend: async (_, { signal }) => signal.throwIfAborted(),
  resume: async (_, { signal }) => signal.throwIfAborted(),
  standing: async (berthId, { signal }) => ((await hasMark(cell, berthId, signal)) ? 'nothing_to_suspend' : 'absent'),
})

const notDeployed = ({ name, deployment }: Cell): BerthError =>
  new BerthError(
    'provisioning_failed',
    `Cell ${name} has no function ${sharedNameOf(deployment)}; deploy templates/shared.yaml as stack ${sharedNameOf(deployment)} there`,
  )
