import type { NewTenant, WireTenant } from '../../client/wire.ts'
import type { TenantState } from '../../domain/tenant.ts'
import { type CommandSpec, type Flags, textFlag } from '../command.ts'
import type { Terminal } from '../terminal.ts'
import { visible } from '../visible.ts'
import { moveCommand } from './tenants-move.ts'

const tenantLines = (tenants: readonly WireTenant[], terminal: Terminal): readonly string[] =>
  terminal.table(
    [
      { title: 'ID' },
      { title: 'STATE' },
      { title: 'BERTH' },
      { title: 'RUNNER', align: 'right' },
      { title: 'PROJECT' },
      { title: 'UID' },
    ],
    tenants.map(({ id, state, berth, externalId }) => [
      id,
      state,
      berth === null ? '-' : `${berth.id} ${berth.state}`,
      berth?.runnerVersion === undefined || berth.runnerVersion === null ? '-' : String(berth.runnerVersion),
      visible(externalId?.project ?? '-'),
      visible(externalId?.uid ?? '-'),
    ]),
  )

const ls: CommandSpec = {
  usage: 'ls',
  description: 'List tenants and the state of their berths.',
  caller: 'operator',
  options: [
    ['--state <state>', 'active, suspended, deprovisioning or deleted'],
    ['--uid <uid>', 'only the tenant of this uid'],
    ['--project <name>', 'identity project of that uid (default "local")'],
    ['--identity-tenant <name>', 'tenant inside a multi-tenant identity project'],
  ],
  examples: ['tenants ls', 'tenants ls --uid alice', 'tenants ls --state suspended --json'],
  act: async ({ flags, connect, terminal, signal }) => {
    const state = textFlag(flags, 'state') as TenantState | undefined
    const named = textFlag(flags, 'uid') === undefined ? {} : nameOf(flags, textFlag(flags, 'uid'))
    const tenants = await Array.fromAsync((await connect()).tenants.list({ state, ...named, signal }))
    terminal.answer({ data: tenants }, () => tenantLines(tenants, terminal))
  },
}

const nameOf = (flags: Flags, uid = ''): NewTenant => ({
  uid,
  project: textFlag(flags, 'project') ?? 'local',
  identityTenant: textFlag(flags, 'identityTenant'),
})

const create: CommandSpec = {
  usage: 'create <uid>',
  description: 'Make the tenant of this uid, with a berth; one that exists stays as it is.',
  caller: 'operator',
  options: [
    ['--project <name>', 'identity project (default "local")'],
    ['--identity-tenant <name>', 'tenant inside a multi-tenant identity project'],
  ],
  examples: ['tenants create alice', 'tenants create alice --project my-firebase-project'],
  act: async ({ args: [uid = ''], flags, connect, terminal, signal }) => {
    const tenant = await (await connect()).tenants.create(nameOf(flags, uid), { signal })
    terminal.answer(tenant, () => tenantLines([tenant], terminal))
  },
}

/** The server answers a suspend or resume when AWS has done it; a failure of AWS is a failure of the command. */
const done: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  lambda: {
    suspend:
      'its function starts no more (reserved concurrency 0), and credentials that its role has given out open nothing',
    resume: 'its function may start again; credentials from before stay worthless',
  },
}

const doneLines = (verb: string, { berth }: WireTenant): readonly string[] => {
  const line = berth === null ? undefined : done[berth.backend]?.[verb]
  if (line === undefined || berth === null) return []
  return berth.state === 'ready'
    ? [`on AWS: ${line}`]
    : [`its berth is ${berth.state}; there is nothing on AWS to ${verb} yet`]
}

const onOne = (
  verb: 'get' | 'suspend' | 'resume' | 'remove',
  words: Pick<CommandSpec, 'usage' | 'description' | 'examples'>,
): CommandSpec => ({
  ...words,
  caller: 'operator',
  act: async ({ args: [id = ''], connect, terminal, signal }) => {
    const tenant = await (await connect()).tenants[verb](id, { signal })
    terminal.answer(tenant, () => [
      ...tenantLines([tenant], terminal),
      ...(tenant.berth?.lastError == null ? [] : [`last error: ${visible(tenant.berth.lastError)}`]),
      ...doneLines(verb, tenant),
    ])
  },
})

const receipt: CommandSpec = {
  usage: 'receipt <id>',
  description: 'Show what the deletion of a tenant removed, and what was then verified absent.',
  caller: 'operator',
  examples: ['tenants receipt <id>', 'tenants receipt <id> --json > receipt.json'],
  act: async ({ args: [id = ''], connect, terminal, signal }) => {
    const found = await (await connect()).tenants.receipt(id, { signal })
    terminal.answer(found, () => [
      `tenant ${found.tenantId} was deleted at ${found.finishedAt}`,
      ...terminal.table(
        [{ title: 'DELETED' }, { title: 'NAME' }, { title: 'COUNT', align: 'right' }],
        found.deleted.map(({ kind, name, count }) => [visible(kind), visible(name), String(count)]),
      ),
      ...terminal.table(
        [{ title: 'VERIFIED ABSENT' }, { title: 'NAME' }],
        found.verifiedAbsent.map(({ kind, name }) => [visible(kind), visible(name)]),
      ),
    ])
  },
}

export const tenantsCommands = {
  name: 'tenants',
  description: 'Tenants and their berths; for operators.',
  commands: [
    ls,
    onOne('get', { usage: 'show <id>', description: 'Show one tenant.', examples: ['tenants show <id> --json'] }),
    create,
    onOne('suspend', {
      usage: 'suspend <id>',
      description: 'Refuse its runs from now on; nothing is deleted.',
      examples: ['tenants suspend <id>'],
    }),
    onOne('resume', {
      usage: 'resume <id>',
      description: 'Let a suspended tenant run again.',
      examples: ['tenants resume <id>'],
    }),
    moveCommand,
    onOne('remove', {
      usage: 'delete <id>',
      description: 'Delete everything the tenant has, for ever; `receipt` proves it.',
      examples: ['tenants delete <id>', 'tenants receipt <id>'],
    }),
    receipt,
  ],
}
