import { BerthError } from '../domain/errors.ts'
import type { Berth } from '../domain/tenant.ts'
import type { LeasedBerth } from '../domain/ports/store.ts'
import type { Provisioner, ProvisionerDeps, ProvisionerOptions } from './provisioner.ts'

/** Longer than servers remember a berth, and than most runs take: what still runs in the old berth ends there. */
export const MOVE_GRACE_MS = 60_000

type Deps = Pick<ProvisionerDeps, 'store' | 'berths' | 'files' | 'clock' | 'ids' | 'events'>

/** Brings a tenant to another backend: a new berth there, tested before anything is switched. The work itself is the loop's. */
export const createMove =
  (
    deps: Deps,
    { maxBerths }: Pick<ProvisionerOptions, 'maxBerths'>,
    { onWork }: { onWork: () => void },
  ): Provisioner['move'] =>
  async (tenantId, { to, deleteFiles, signal }) => {
    assertServed(deps, to)
    const present = await deps.store.berths.findByTenant(tenantId)
    if (present !== null && present.backend !== to && !deleteFiles) await assertNoFiles(deps, present, signal)
    const berth = await deps.store.tenants.beginMove({
      tenantId,
      newBerthId: deps.ids.berthId(),
      backend: to,
      keepFiles: !deleteFiles,
      maxBerths,
      now: deps.clock.now(),
    })
    deps.events.emit({ code: 'tenant.move_requested', level: 'info', tenantId, berthId: berth.id, detail: { to } })
    onWork()
    return berth
  }

const assertServed = ({ berths }: Deps, to: string): void => {
  const { movesTo = [] } = berths
  if (movesTo.includes(to)) return
  const which = movesTo.length === 0 ? `none: it has only ${berths.backend}` : movesTo.join(', ')
  const detail = `expected a backend that this server can move tenants to (${which}), got ${JSON.stringify(to)}`
  throw new BerthError('invalid_request', `to: ${detail}`, { errors: [{ pointer: '/to', detail }] })
}

/** Files never move with a tenant. @throws {BerthError} conflict */
const assertNoFiles = async (deps: Deps, { id: berthId }: Pick<Berth, 'id'>, signal: AbortSignal): Promise<void> => {
  const place = { berthId, area: 'files' } as const
  const { entries } = (await deps.files?.list(place, { cursor: null, limit: 1, signal })) ?? { entries: [] }
  if (entries.length > 0)
    throw new BerthError(
      'conflict',
      'the tenant has files, and a move does not take them along; download and delete them, or move with deleteFiles (`--delete-files`)',
    )
}

/** A file that came while the tenant was moved was promised to be kept: an operator decides. @throws {BerthError} conflict */
export const assertMayDestroy = async (deps: Deps, { id, move }: LeasedBerth, signal: AbortSignal): Promise<void> => {
  if (move?.keepsFiles === true) await assertNoFiles(deps, { id }, signal)
}
