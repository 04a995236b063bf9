import { nextBerthState } from '../domain/berth-transitions.ts'
import type { BerthId, TenantId } from '../domain/ids.ts'
import type { Page } from '../domain/ports/store.ts'
import type { Berth, Tenant } from '../domain/tenant.ts'
import type { ProvisionerDeps, ReconcileFinding, ReconcileReport } from './provisioner.ts'
import { gapOfStray, inOrder, type Stray } from './rebuild.ts'
import { deepGaps } from './deep-gaps.ts'
import type { SignUps } from './sign-ups.ts'

const PAGE = 200

type Deps = ProvisionerDeps & Pick<SignUps, 'signUp'>
type Gap = Omit<ReconcileFinding, 'done' | 'error'>

interface Request {
  readonly apply: boolean
  readonly rebuild?: boolean
  readonly deep?: boolean
  readonly signal: AbortSignal
  readonly onFinding?: (finding: ReconcileFinding) => void
}

/** Rows are intent, resources are fact: says where they differ, and closes the gaps when asked to. */
export const reconcile = async (deps: Deps, request: Request): Promise<ReconcileReport> => {
  const findings: ReconcileFinding[] = []
  const counts = { resources: 0, rows: 0, tenants: 0 }
  const report = async (gap: Gap, closing: Closing = () => act(deps, gap, request.signal)): Promise<void> => {
    const finding = { ...gap, ...(await close(deps, request, { gap, closing })) }
    findings.push(finding)
    request.onFinding?.(finding)
    const { kind, action, done } = finding
    const ids = { berthId: gap.berthId ?? undefined, tenantId: gap.tenantId ?? undefined }
    deps.events.emit({ code: 'reconcile.found', level: 'warn', ...ids, detail: { kind, action, done } })
  }
  const whole = new Set<BerthId>()
  const strays: Stray[] = []
  for await (const listed of deps.berths.list(request)) {
    const { berthId, partial } = listed
    counts.resources += 1
    if (!partial) whole.add(berthId)
    const row = await deps.store.berths.find(berthId)
    if (row === null) strays.push({ listed, trace: await deps.berths.owners.trace(berthId, request) })
    else if (row.state === 'deleted') await report(leftover(row))
  }
  const isStray = new Set(strays.map(({ listed }) => listed.berthId))
  const told = new Set<string>()
  for (const stray of inOrder(strays)) {
    const { gap, adopt } = await gapOfStray(deps, stray, { ...request, told, rebuild: request.rebuild === true })
    await report(gap, adopt ?? undefined)
  }
  for await (const row of rowsOf((cursor) => deps.store.berths.list({ cursor, limit: PAGE, states: null }))) {
    request.signal.throwIfAborted()
    counts.rows += row.state === 'deleted' ? 0 : 1
    if (isStray.has(row.id)) continue
    const gap = await gapOfRow(deps, row, { signal: request.signal, isListedWhole: whole.has(row.id) })
    if (gap !== null) await report(gap)
    else if (request.deep === true) for (const deeper of await deepGaps(deps, row, request.signal)) await report(deeper)
  }
  for await (const tenant of rowsOf((cursor) => deps.store.tenants.list({ cursor, limit: PAGE, state: 'active' }))) {
    request.signal.throwIfAborted()
    counts.tenants += 1
    if ((await deps.store.berths.findByTenant(tenant.id)) === null) await report(noBerth(tenant))
  }
  return { applied: request.apply, ...counts, findings }
}

async function* rowsOf<T>(read: (cursor: string | null) => Promise<Page<T>>): AsyncIterable<T> {
  for (let cursor: string | null = null; ;) {
    const page: Page<T> = await read(cursor)
    yield* page.entries
    if (page.nextCursor === null) return
    cursor = page.nextCursor
  }
}

const leftover = ({ id, tenantId }: Berth): Gap => ({ kind: 'orphan', berthId: id, tenantId, action: 'destroy' })

const noBerth = (tenant: Tenant): Gap => ({ kind: 'no_berth', berthId: null, tenantId: tenant.id, action: 'provision' })

const gapOfRow = async (
  deps: Deps,
  row: Berth,
  { signal, isListedWhole }: { signal: AbortSignal; isListedWhole: boolean },
): Promise<Gap | null> => {
  if (row.state === 'deleted' || !isServed(deps, row.backend)) return null
  const ids = { berthId: row.id, tenantId: row.tenantId }
  if (row.state === 'deprovisioning') return { kind: 'half_deleted', ...ids, action: 'wait' }
  if (await isDisowned(deps, row.tenantId)) return { kind: 'unowned', ...ids, action: 'deprovision' }
  if (row.state === 'failed') return { kind: 'half_made', ...ids, action: 'provision' }
  if (row.state === 'provisioning') return { kind: 'half_made', ...ids, action: 'wait' }
  // A listing may lag behind, so nothing is called missing for its sake.
  const resources = isListedWhole ? { partial: false } : await deps.berths.find(row.id, { signal })
  if (resources === null) return { kind: 'missing', ...ids, action: 'provision' }
  if (resources.partial) return { kind: 'half_made', ...ids, action: 'provision' }
  return gapOfStanding(deps, row, signal)
}

/** A suspend or resume that was cut off, or that somebody undid by hand. */
const gapOfStanding = async (deps: Deps, { id, tenantId }: Berth, signal: AbortSignal): Promise<Gap | null> => {
  const standing = await deps.berths.standing(id, { signal })
  const ids = { berthId: id, tenantId }
  switch (standing) {
    case 'nothing_to_suspend':
      return null
    case 'absent':
      return { kind: 'missing', ...ids, action: 'provision' }
    case 'running':
      return (await isSuspended(deps, tenantId)) ? { kind: 'not_suspended', ...ids, action: 'suspend' } : null
    case 'half_suspended':
      return (await isSuspended(deps, tenantId))
        ? { kind: 'not_suspended', ...ids, action: 'suspend' }
        : { kind: 'not_resumed', ...ids, action: 'resume' }
    case 'suspended':
      return (await isSuspended(deps, tenantId)) ? null : { kind: 'not_resumed', ...ids, action: 'resume' }
    default:
      return standing satisfies never
  }
}

const isSuspended = async (deps: Deps, tenantId: TenantId | null): Promise<boolean> =>
  tenantId !== null && (await deps.store.tenants.find(tenantId))?.state === 'suspended'

const isServed = ({ berths }: Deps, backend: string): boolean =>
  backend === berths.backend || (berths.movesTo?.includes(backend) ?? false)

const isDisowned = async (deps: Deps, tenantId: TenantId | null): Promise<boolean> => {
  if (tenantId === null) return false
  const tenant = await deps.store.tenants.find(tenantId)
  return tenant === null || tenant.state === 'deprovisioning' || tenant.state === 'deleted'
}

type Closing = () => Promise<boolean>

const close = async (
  deps: Deps,
  request: Request,
  { gap, closing }: { gap: Gap; closing: Closing },
): Promise<Pick<ReconcileFinding, 'done' | 'error'>> => {
  if (!request.apply) return { done: false, error: null }
  try {
    return { done: await closing(), error: null }
  } catch (error) {
    // One gap that cannot be closed must not hide the others.
    request.signal.throwIfAborted()
    deps.events.emit({ code: 'reconcile.failed', level: 'error', berthId: gap.berthId ?? undefined, error })
    return { done: false, error: error instanceof Error ? error.message : String(error) }
  }
}

const act = async (deps: Deps, { action, berthId, tenantId }: Gap, signal: AbortSignal): Promise<boolean> => {
  // A lost row is found again by a rebuild only; the others an operator does.
  if (action === 'wait' || action === 'adopt' || action === 'operator' || action === 'upgrade') return false
  if (berthId === null) return tenantId !== null && signUpAgain(deps, tenantId)
  if (action === 'destroy' || action === 'suspend' || action === 'resume') {
    await deps.berths[action](berthId, { signal })
    return true
  }
  if (action === 'record') return recordAgain(deps, berthId)
  const row = await deps.store.berths.find(berthId)
  if (row === null) return false
  const step = action === 'deprovision' ? 'disowned' : row.state === 'failed' ? 'tried_again' : 'lost'
  const to = nextBerthState(row.state, step)
  return to !== null && deps.store.berths.setState(berthId, [row.state], to)
}

const signUpAgain = async (deps: Deps, tenantId: TenantId): Promise<boolean> => {
  const tenant = await deps.store.tenants.find(tenantId)
  if (tenant === null || tenant.externalId === null) return false
  return (await deps.signUp(tenant.externalId, null)).berth !== null
}

/** The worker writes it. */
const recordAgain = async (deps: Deps, berthId: BerthId): Promise<boolean> => {
  await deps.store.owners.markDue(berthId)
  return true
}
