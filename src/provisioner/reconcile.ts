import { nextBerthState } from '../domain/berth-transitions.ts'
import type { BerthId, TenantId } from '../domain/ids.ts'
import type { Page } from '../domain/ports/store.ts'
import type { Berth, Tenant } from '../domain/tenant.ts'
import type { ProvisionerDeps, ReconcileFinding, ReconcileReport } from './provisioner.ts'
import type { SignUps } from './sign-ups.ts'

const PAGE = 200

type Deps = ProvisionerDeps & Pick<SignUps, 'signUp'>
type Gap = Omit<ReconcileFinding, 'done' | 'error'>

interface Request {
  readonly apply: boolean
  readonly signal: AbortSignal
  readonly onFinding?: (finding: ReconcileFinding) => void
}

/** Rows are intent, resources are fact: says where they differ, and closes the gaps when asked to. */
export const reconcile = async (deps: Deps, request: Request): Promise<ReconcileReport> => {
  const findings: ReconcileFinding[] = []
  const counts = { resources: 0, rows: 0, tenants: 0 }
  const report = async (gap: Gap): Promise<void> => {
    const finding = { ...gap, ...(await close(deps, request, gap)) }
    findings.push(finding)
    request.onFinding?.(finding)
    const { kind, action, done } = finding
    const ids = { berthId: gap.berthId ?? undefined, tenantId: gap.tenantId ?? undefined }
    deps.events.emit({ code: 'reconcile.found', level: 'warn', ...ids, detail: { kind, action, done } })
  }
  const whole = new Set<BerthId>()
  for await (const { berthId, partial } of deps.berths.list(request)) {
    counts.resources += 1
    if (!partial) whole.add(berthId)
    const gap = gapOfResource(berthId, await deps.store.berths.find(berthId))
    if (gap !== null) await report(gap)
  }
  for await (const row of rowsOf((cursor) => deps.store.berths.list({ cursor, limit: PAGE, states: null }))) {
    request.signal.throwIfAborted()
    counts.rows += row.state === 'deleted' ? 0 : 1
    const gap = await gapOfRow(deps, row, { signal: request.signal, isListedWhole: whole.has(row.id) })
    if (gap !== null) await report(gap)
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

// The row of a berth is written before its first resource, so resources without a row are nobody's.
const gapOfResource = (berthId: BerthId, row: Berth | null): Gap | null =>
  row === null || row.state === 'deleted'
    ? { kind: 'orphan', berthId, tenantId: row?.tenantId ?? null, action: 'destroy' }
    : null

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

const close = async (deps: Deps, request: Request, gap: Gap): Promise<Pick<ReconcileFinding, 'done' | 'error'>> => {
  if (!request.apply) return { done: false, error: null }
  try {
    return { done: await act(deps, gap, request.signal), error: null }
  } catch (error) {
    // One gap that cannot be closed must not hide the others.
    request.signal.throwIfAborted()
    deps.events.emit({ code: 'reconcile.failed', level: 'error', berthId: gap.berthId ?? undefined, error })
    return { done: false, error: error instanceof Error ? error.message : String(error) }
  }
}

const act = async (deps: Deps, { action, berthId, tenantId }: Gap, signal: AbortSignal): Promise<boolean> => {
  if (action === 'wait') return false
  if (berthId === null) return tenantId !== null && signUpAgain(deps, tenantId)
  if (action === 'destroy' || action === 'suspend' || action === 'resume') {
    await deps.berths[action](berthId, { signal })
    return true
  }
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
