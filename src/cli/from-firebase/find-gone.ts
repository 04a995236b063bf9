import type { WireTenant } from '../../client/wire.ts'
import { BerthError } from '../../domain/errors.ts'
import { LOOKUP } from './firebase-users.ts'
import { tell } from './report.ts'
import type { Walk } from './walk.ts'

/** One place of each look-up is the witness's. */
const BATCH = LOOKUP - 1
/** Firebase takes no longer uid, so a longer one is not of Firebase. */
const MAX_UID = 128

/**
 * Asks Firebase by name for every user who has a tenant. The tenant is read first and its user asked for afterwards: who signs up
 * meanwhile was in Firebase before Berth knew them, and is found.
 */
export const findGone = async (walk: Walk): Promise<void> => {
  const { tenants, options } = walk
  for (const state of ['active', 'suspended'] as const) {
    const batches = new Map(options.identityTenants.map((identityTenant) => [identityTenant, [] as WireTenant[]]))
    for await (const tenant of tenants.list({ state, signal: options.signal })) {
      const { externalId } = tenant
      if (externalId === null || externalId.project !== options.project || externalId.uid.length > MAX_UID) continue
      const batch = batches.get(externalId.identityTenant)
      if (batch === undefined) continue
      batch.push(tenant)
      if (batch.length === BATCH) await lookUp(walk, externalId.identityTenant, batch.splice(0))
    }
    for (const [identityTenant, batch] of batches) if (batch.length > 0) await lookUp(walk, identityTenant, batch)
  }
}

const lookUp = async (walk: Walk, identityTenant: string, batch: readonly WireTenant[]): Promise<void> => {
  const { users, report, options, witnesses } = walk
  const witness = witnesses.get(identityTenant)
  const asked = new Set([...batch.map(uidOf), ...(witness === undefined ? [] : [witness])])
  const missing = new Set(await users.missing(identityTenant, [...asked]))
  const gone = batch.filter((tenant) => missing.has(uidOf(tenant)))
  report.gone += gone.length
  for (const tenant of gone) tell(report, { kind: 'gone', identityTenant, uid: uidOf(tenant) })
  if (gone.length === 0 || !options.apply || !options.deleteGone) return
  if (witness === undefined) throw nobodyKnown(identityTenant)
  if (missing.has(witness)) throw contradiction(identityTenant)
  for (const tenant of gone) await remove(walk, tenant)
}

const remove = async ({ tenants, options, report, turn }: Walk, { id }: WireTenant): Promise<void> => {
  const { signal } = options
  await turn(signal)
  await tenants.remove(id, { signal })
  report.deleted += 1
}

const uidOf = ({ externalId }: WireTenant): string => externalId?.uid ?? ''

const placeOf = (identityTenant: string): string =>
  identityTenant === '' ? 'the project' : `the identity tenant ${JSON.stringify(identityTenant)}`

/** An empty project, another one's users, a listing that shows nobody: it all looks like this. */
const nobodyKnown = (identityTenant: string): BerthError =>
  new BerthError(
    'conflict',
    `Firebase listed no user of ${placeOf(identityTenant)} who has a tenant in Berth, so nobody of it is deleted`,
    { data: { remedy: 'Check the project and its credentials; delete single tenants with berth tenants delete.' } },
  )

const contradiction = (identityTenant: string): BerthError =>
  new BerthError(
    'conflict',
    `Firebase lists a user of ${placeOf(identityTenant)} whom it does not find by name, so nobody more is deleted`,
    {
      data: {
        remedy:
          'That user may have been deleted just now: start it again. If it says so again, look at Firebase first.',
      },
    },
  )
