import { BerthError } from '../domain/errors.ts'
import type { FleetMember } from '../domain/ports/fleet.ts'
import type { RolloutDeps } from './rollout-deps.ts'
import type { RolloutOptions } from './running-rollout.ts'

const NAMED = 20

/**
 * Berths that were named one by one and are not in this cell end a rollout before it has changed anything: to leave them out without a word
 * would leave who asked for them in the belief that they had been brought. Answers with them as they were listed. @throws {BerthError} not_found
 */
export const assertNamed = async (
  { fleet }: Pick<RolloutDeps, 'fleet'>,
  { scope, signal }: Pick<RolloutOptions, 'scope' | 'signal'>,
): Promise<readonly FleetMember[]> => {
  if (scope.kind !== 'berths') return []
  const missing = new Set(scope.berthIds)
  const found: FleetMember[] = []
  for await (const member of fleet.list({ signal })) if (missing.delete(member.berthId)) found.push(member)
  if (missing.size === 0) return found
  const names = [...missing].map((berthId) => scope.names?.get(berthId) ?? berthId)
  const more = names.length > NAMED ? `, and ${names.length - NAMED} more` : ''
  throw new BerthError('not_found', `Not in this cell: ${names.slice(0, NAMED).join(', ')}${more}`, {
    data: {
      remedy:
        'Nothing was changed. Leave them out, or name the cell that they are in by --region and --deployment; berth tenants show tells it.',
    },
  })
}
