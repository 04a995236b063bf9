import { setTimeout as delay } from 'node:timers/promises'
import type { Berth } from '../../client/berth.ts'
import type { Move, WireBerth } from '../../client/wire.ts'
import { BerthError, isBerthError } from '../../domain/errors.ts'
import { type CommandSpec, type Flags, textFlag, usageError } from '../command.ts'

const POLL_MS = 1000
const targets = ['lambda', 'lambda-shared'] as const

const targetOf = (flags: Flags): Move['to'] => {
  const given = textFlag(flags, 'to')
  const to = targets.find((target) => target === given)
  if (to === undefined)
    throw usageError(`--to: expected ${targets.join(' or ')}, got ${JSON.stringify(given)}`, 'Give one of the two.')
  return to
}

/** Null while the new berth is on its way. */
const endOf = async (berth: Berth, tenantId: string, { id, signal }: { id: string; signal: AbortSignal }) => {
  const tenant = await berth.tenants.get(tenantId, { signal })
  if (tenant.berth?.id === id) return tenant.berth
  const other = await berth.tenants.moving(tenantId, { signal }).catch((error: unknown) => {
    if (isBerthError(error) && error.code === 'not_found') return null
    throw error
  })
  if (other?.id === id && other.state === 'provisioning') return null
  // It may have become the tenant's own between the two questions.
  const again = await berth.tenants.get(tenantId, { signal })
  if (again.berth?.id === id) return again.berth
  const why = other?.id === id ? other.lastError : null
  throw new BerthError(
    'provisioning_failed',
    `the new berth could not be made, and the tenant stays where it was: ${why ?? 'see the server’s log'}`,
  )
}

const untilMoved = async (
  berth: Berth,
  tenantId: string,
  { id, signal }: { id: string; signal: AbortSignal },
): Promise<WireBerth> => {
  for (;;) {
    const moved = await endOf(berth, tenantId, { id, signal })
    if (moved !== null) return moved
    await delay(POLL_MS, undefined, { signal })
  }
}

export const moveCommand: CommandSpec = {
  usage: 'move <id>',
  description: 'Give a tenant a berth on another backend; it runs in the old one until the new one is tested.',
  caller: 'operator',
  options: [
    ['--to <backend>', 'lambda (a function of its own) or lambda-shared'],
    ['--delete-files', 'move although the tenant has files: they do not move, and are deleted with the old berth'],
    ['--async', 'do not wait until the new berth is ready'],
  ],
  examples: ['tenants move <id> --to lambda-shared', 'tenants move <id> --to lambda'],
  act: async ({ args: [tenantId = ''], flags, connect, terminal, signal }) => {
    const to = targetOf(flags)
    const berth = await connect()
    const made = await berth.tenants.move(tenantId, { to, deleteFiles: flags['deleteFiles'] === true }, { signal })
    if (flags['async'] === true)
      return terminal.answer(made, () => [`berth ${made.id} is being made on ${made.backend}`])
    const progress = terminal.progress(`making a berth on ${to}`)
    try {
      const moved = await untilMoved(berth, tenantId, { id: made.id, signal })
      return terminal.answer(moved, () => [`the tenant is now in berth ${moved.id} on ${moved.backend}`])
    } finally {
      progress.stop()
    }
  },
}
