import type { TenantsFound } from '../../client/wire.ts'
import { isBerthError } from '../../domain/errors.ts'
import { externalIdSchema } from '../../domain/tenant.ts'
import { type FirebaseUser, LOOKUP } from './firebase-users.ts'
import { type FirebaseReconciliation, tell } from './report.ts'
import type { Walk } from './walk.ts'

const AT_ONCE = 8

/** Compares the users of one identity tenant with those of Berth, and makes who is missing. Holds one page of them. */
export const bringIn = async (walk: Walk, identityTenant: string): Promise<void> => {
  const { report, users, options } = walk
  for await (const page of users.pages(identityTenant)) {
    const wanted = page.filter(({ isAnonymous }) => options.anonymous || !isAnonymous)
    report.leftOut.anonymous += page.length - wanted.length
    report.users += page.length - wanted.length
    for (let at = 0; at < wanted.length; at += LOOKUP) {
      await compare(walk, identityTenant, wanted.slice(at, at + LOOKUP))
      options.onProgress(`${report.users} users of Firebase, ${report.missing} missing, ${report.created} made`)
    }
  }
}

const compare = async (walk: Walk, identityTenant: string, batch: readonly FirebaseUser[]): Promise<void> => {
  const { report, options, tenants, witnesses } = walk
  const { project, signal } = options
  const fit = batch.filter(({ uid }) => isFit(walk, { project, identityTenant, uid }))
  report.leftOut.unfit += batch.length - fit.length
  const uids = fit.map(({ uid }) => uid)
  const answer: Pick<TenantsFound, 'tenants' | 'provisionOn'> =
    uids.length === 0
      ? { tenants: [], provisionOn: 'sign_up' }
      : await tenants.lookUp({ project, identityTenant, uids }, { signal })
  const known = new Map(answer.tenants.map(({ uid, state }) => [uid, state]))
  const missing: string[] = []
  for (const user of fit) {
    const state = known.get(user.uid)
    const reason = state === undefined ? whyNot(walk, user, answer.provisionOn) : null
    if (state === 'deleted' || state === 'deprovisioning') report.tombstones += 1
    else if (state !== undefined) {
      report.existing += 1
      witnesses.set(identityTenant, user.uid)
    } else if (reason !== null) report.leftOut[reason] += 1
    else missing.push(user.uid)
  }
  report.users += batch.length
  report.missing += missing.length
  for (const uid of missing) tell(report, { kind: 'missing', identityTenant, uid })
  if (options.apply) await createAll(walk, identityTenant, missing)
}

const isFit = ({ report }: Walk, externalId: { project: string; identityTenant: string; uid: string }): boolean => {
  if (externalIdSchema.safeParse(externalId).success) return true
  tell(report, { kind: 'unfit', identityTenant: externalId.identityTenant, uid: externalId.uid })
  return false
}

/** The same rules as for a hook. */
const whyNot = (
  { options }: Walk,
  { disabled, emailVerified }: FirebaseUser,
  provisionOn: TenantsFound['provisionOn'],
): keyof FirebaseReconciliation['leftOut'] | null => {
  if (disabled) return 'disabled'
  if (options.deferred) return null
  return provisionOn === 'first_run' || (provisionOn === 'verified_email' && !emailVerified) ? 'deferred' : null
}

/** After a failure no other is begun, and those on their way are waited for, so that the report is true. */
const createAll = async (walk: Walk, identityTenant: string, uids: readonly string[]): Promise<void> => {
  const failures: unknown[] = []
  const left = uids.values()
  const worker = async (): Promise<void> => {
    for (const uid of left) {
      if (failures.length > 0) return
      await create(walk, identityTenant, uid).catch((error: unknown) => failures.push(error))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  if (failures.length > 0) throw failures[0]
}

const create = async ({ report, options, tenants, turn }: Walk, identityTenant: string, uid: string): Promise<void> => {
  const { project, signal } = options
  await turn(signal)
  try {
    await tenants.create({ project, identityTenant, uid }, { signal })
    report.created += 1
  } catch (error) {
    if (!isBerthError(error) || error.code !== 'tenant_deleted') throw error
    // Deleted since it was looked up.
    report.missing -= 1
    report.tombstones += 1
  }
}
