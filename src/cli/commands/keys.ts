import type { WireKey } from '../../client/wire.ts'
import { type CommandSpec, textFlag } from '../command.ts'
import type { Terminal } from '../terminal.ts'
import { visible } from '../visible.ts'

const keyLines = (keys: readonly WireKey[], terminal: Terminal): readonly string[] =>
  terminal.table(
    [
      { title: 'ID' },
      { title: 'NAME' },
      { title: 'ROLE' },
      { title: 'PROJECT' },
      { title: 'LAST USED' },
      { title: 'REVOKED' },
    ],
    keys.map(({ id, name, role, project, lastUsedAt, revokedAt }) => [
      id,
      visible(name),
      role,
      visible(project ?? '-'),
      lastUsedAt ?? '-',
      revokedAt ?? '-',
    ]),
  )

const create: CommandSpec = {
  usage: 'create <name>',
  description: 'Make a key. Its secret is shown once: alone on stdout, so that it can be piped.',
  caller: 'operator',
  options: [
    ['--project <name>', 'identity project whose tenants it may act for (default "local")'],
    ['--operator', 'an operator key instead: it may administer everything and acts for no tenant'],
  ],
  examples: ['keys create my-backend --project local', 'keys create ci --operator --json'],
  act: async ({ args: [name = ''], flags, connect, terminal, signal }) => {
    const isOperator = flags['operator'] === true
    const key = await (
      await connect()
    ).keys.create(
      isOperator
        ? { name, role: 'operator' }
        : { name, role: 'service', project: textFlag(flags, 'project') ?? 'local' },
      { signal },
    )
    if (!terminal.json) terminal.note(`key ${key.id} (${key.role}); keep the secret, it is not shown again`)
    terminal.answer(key, () => [key.secret])
  },
}

const ls: CommandSpec = {
  usage: 'ls',
  description: 'List keys, without their secrets.',
  caller: 'operator',
  examples: ['keys ls', 'keys ls --json'],
  act: async ({ connect, terminal, signal }) => {
    const keys = await (await connect()).keys.list({ signal })
    terminal.answer({ data: keys }, () => keyLines(keys, terminal))
  },
}

const revoke: CommandSpec = {
  usage: 'revoke <id>',
  description: 'Make a key worthless. Holds at once.',
  caller: 'operator',
  examples: ['keys revoke <id>'],
  act: async ({ args: [id = ''], connect, terminal, signal }) => {
    const key = await (await connect()).keys.revoke(id, { signal })
    terminal.answer(key, () => keyLines([key], terminal))
  },
}

export const keysCommands = {
  name: 'keys',
  description: 'Service and operator keys; for operators.',
  commands: [create, ls, revoke],
}
