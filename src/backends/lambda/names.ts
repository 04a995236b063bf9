import { type BerthId, berthIdSchema, type RunId } from '../../domain/ids.ts'

/** Tag of every resource of a berth; its value is the berth's id. The permissions boundary reads it from the role. */
export const BERTH_TAG = 'berth'
export const DEPLOYMENT_TAG = 'berth:deployment'

/** Stack, function and role of a berth bear one name. Ids are lower case, so role names stay unique without case. */
export const nameOf = (deployment: string, berthId: BerthId): string => `${deployment}-${berthId}`

/** Null when the name is not that of a berth of this deployment. */
export const berthIdOf = (deployment: string, name: string): BerthId | null => {
  if (!name.startsWith(`${deployment}-`)) return null
  return berthIdSchema.safeParse(name.slice(deployment.length + 1)).data ?? null
}

export const rolePathOf = (deployment: string): string => `/${deployment}/berths/`

export const logGroupOf = (deployment: string, berthId: BerthId): string => `/${deployment}/berths/${berthId}`

/** Prefixes end in "/": without it one berth's prefix could be the beginning of another's. */
export const BERTHS_PREFIX = 'berths/'
export const prefixOf = (berthId: BerthId): string => `${BERTHS_PREFIX}${berthId}/`
/** Beside what the role may list by name but neither read nor write. */
export const ownerKeyOf = (berthId: BerthId): string => `${prefixOf(berthId)}owner.json`
export const filesPrefixOf = (berthId: BerthId): string => `${prefixOf(berthId)}files/`
export const runsPrefixOf = (berthId: BerthId): string => `${prefixOf(berthId)}runs/`
export const runPrefixOf = (berthId: BerthId, runId: RunId): string => `${runsPrefixOf(berthId)}${runId}/`
