import type { Berth } from '../client/berth.ts'
import { sleep } from '../client/retry.ts'
import type { WireTenant } from '../client/wire.ts'
import { BerthError } from '../domain/errors.ts'
import { type FirebaseUsers, LOOKUP } from './firebase-users.ts'

const AT_ONCE = 8
const MINUTE_MS = 60_000
/** Firebase takes no longer uid, so a longer one is not of Firebase. */
const MAX_UID = 128
/** How many of the names that differ are told; all are counted. */
const TOLD = 100

export interface FirebaseReconciliation {
  readonly applied: boolean
  users: number
  existing: number
  anonymous: number
  /** Deleted in Berth: they stay so. */
  tombstones: number
  missing: number
  created: number
  /** Known to Berth and no longer to Firebase. */
  gone: number
  deleted: number
  /** The first hundred that are missing or gone. */
  readonly told: { readonly kind: 'missing' | 'gone'; readonly identityTenant: string; readonly uid: string }[]
}

export interface ReconcileFirebaseOptions {
  readonly project: string
  /** An empty one stands for the project itself. */
  readonly identityTenants: readonly string[]
  readonly apply: boolean
  readonly anonymous: boolean
  readonly deleteGone: boolean
  readonly perMinute: number
  readonly onProgress: (text: string) => void
  readonly signal: AbortSignal
}

interface Deps {
  readonly tenants: Berth['tenants']
  readonly users: FirebaseUsers
}

/** Idempotent: started again it goes on where it stopped. One page and one batch are held at a time. */
export const reconcileFirebase = async (
  deps: Deps,
  options: ReconcileFirebaseOptions,
): Promise<FirebaseReconciliation> => {
  const report: FirebaseReconciliation = {
    applied: options.apply,
    users: 0,
    existing: 0,
    anonymous: 0,
    tombstones: 0,
    missing: 0,
    created: 0,
    gone: 0,
    deleted: 0,
    told: [],
  }
  const seen = new Map<string, number>()
  for (const identityTenant of options.identityTenants) {
    const before = report.users
    await bringIn(deps, options, { report, identityTenant })
    seen.set(identityTenant, report.users - before)
  }
  // Only now: a listing that broke off has thrown, and nobody is looked at as gone.
  await findGone(deps, options, { report, seen })
  return report
}

const tell = (report: FirebaseReconciliation, entry: FirebaseReconciliation['told'][number]): void => {
  if (report.told.length < TOLD) report.told.push(entry)
}

const bringIn = async (
  { tenants, users }: Deps,
  options: ReconcileFirebaseOptions,
  { report, identityTenant }: { readonly report: FirebaseReconciliation; readonly identityTenant: string },
): Promise<void> => {
  const { signal, project, apply } = options
  const turn = createTurns(options.perMinute, signal)
  const compare = async (uid: string): Promise<void> => {
    const name = { project, identityTenant, uid }
    const [known] = await Array.fromAsync(tenants.list({ ...name, signal }))
    if (known !== undefined) {
      report[isTombstone(known) ? 'tombstones' : 'existing'] += 1
      return
    }
    report.missing += 1
    tell(report, { kind: 'missing', identityTenant, uid })
    if (!apply) return
    await turn()
    await tenants.create(name, { signal })
    report.created += 1
  }
  for await (const page of users.pages(identityTenant)) {
    report.users += page.length
    const wanted = page.filter(({ isAnonymous }) => options.anonymous || !isAnonymous)
    report.anonymous += page.length - wanted.length
    for (let at = 0; at < wanted.length; at += AT_ONCE)
      await Promise.all(wanted.slice(at, at + AT_ONCE).map(({ uid }) => compare(uid)))
    options.onProgress(`${report.users} users of Firebase, ${report.missing} missing, ${report.created} made`)
  }
}

const isTombstone = ({ state }: WireTenant): boolean => state === 'deleted' || state === 'deprovisioning'

/** Spreads what is made evenly over the minute. */
const createTurns = (perMinute: number, signal: AbortSignal) => {
  let nextAt = 0
  return async (): Promise<void> => {
    const now = performance.now()
    const at = Math.max(now, nextAt)
    nextAt = at + MINUTE_MS / perMinute
    if (at > now) await sleep(at - now, signal)
  }
}

const findGone = async (
  deps: Deps,
  options: ReconcileFirebaseOptions,
  { report, seen }: { readonly report: FirebaseReconciliation; readonly seen: ReadonlyMap<string, number> },
): Promise<void> => {
  const { signal } = options
  for (const state of ['active', 'suspended'] as const) {
    const batches = new Map<string, WireTenant[]>()
    for await (const tenant of deps.tenants.list({ state, signal })) {
      const { externalId } = tenant
      if (externalId === null || externalId.project !== options.project || externalId.uid.length > MAX_UID) continue
      const { identityTenant } = externalId
      if (!seen.has(identityTenant)) continue
      const batch = batches.get(identityTenant) ?? []
      batches.set(identityTenant, [...batch, tenant])
      if (batch.length + 1 < LOOKUP) continue
      batches.delete(identityTenant)
      await lookUp(deps, options, { report, seen, identityTenant, batch: [...batch, tenant] })
    }
    for (const [identityTenant, batch] of batches) await lookUp(deps, options, { report, seen, identityTenant, batch })
  }
}

const lookUp = async (
  { tenants, users }: Deps,
  { apply, deleteGone, signal }: ReconcileFirebaseOptions,
  found: {
    readonly report: FirebaseReconciliation
    readonly seen: ReadonlyMap<string, number>
    readonly identityTenant: string
    readonly batch: readonly WireTenant[]
  },
): Promise<void> => {
  const { report, seen, identityTenant, batch } = found
  const missing = new Set(await users.missing(identityTenant, batch.map(uidOf)))
  for (const tenant of batch.filter((one) => missing.has(uidOf(one)))) {
    report.gone += 1
    tell(report, { kind: 'gone', identityTenant, uid: uidOf(tenant) })
    if (!apply || !deleteGone) continue
    if (seen.get(identityTenant) === 0) throw nobodyThere(identityTenant)
    await tenants.remove(tenant.id, { signal })
    report.deleted += 1
  }
}

const uidOf = ({ externalId }: WireTenant): string => externalId?.uid ?? ''

const nobodyThere = (identityTenant: string): BerthError =>
  new BerthError(
    'conflict',
    `Firebase told no user at all${identityTenant === '' ? '' : ` of the tenant ${JSON.stringify(identityTenant)}`}, so nobody is deleted`,
    { data: { remedy: 'Check the project and its credentials; delete single tenants with berth tenants delete.' } },
  )
