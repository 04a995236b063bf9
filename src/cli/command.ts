import { type Command, Option } from 'commander'
import type { Berth } from '../client/berth.ts'
import { BerthError } from '../domain/errors.ts'
import { connect, type ConnectionFlags } from './connection.ts'
import { createTerminal, type Terminal } from './terminal.ts'

export type Flags = Readonly<Record<string, string | boolean | readonly string[] | undefined>>

export interface CommandContext {
  readonly args: readonly string[]
  readonly flags: Flags
  readonly terminal: Terminal
  readonly signal: AbortSignal
  /** The server, as the caller that the flags and the environment name. */
  readonly connect: () => Promise<Berth>
}

/** One command, as data. */
export interface CommandSpec {
  /** Name and arguments, for example `put <path> [name]`. */
  readonly usage: string
  readonly description: string
  /** Shown by --help; `berth` is put in front where the line has none. */
  readonly examples: readonly string[]
  /** Whom it speaks for: `tenant` adds --tenant; `aws` and `nobody` add no flags of the connection: they speak to no server. */
  readonly caller: 'tenant' | 'operator' | 'aws' | 'nobody'
  readonly options?: readonly (readonly [flags: string, description: string])[]
  /** Resolves with the exit code; nothing means 0. */
  readonly act: (context: CommandContext) => Promise<number | void>
}

const connectionOptions = [
  ['--url <url>', 'server to speak to (BERTH_URL; else http://127.0.0.1:8787)'],
  ['--key <key>', 'service or operator key (BERTH_KEY; else operator.key of the data directory)'],
] as const

const tenantOptions = [
  ['--tenant <uid>', 'tenant to act for, by its uid (BERTH_TENANT)'],
  ['--project <name>', 'identity project of the tenant, with an operator key (default "local")'],
  ['--identity-tenant <name>', 'tenant inside a multi-tenant identity project (BERTH_IDENTITY_TENANT)'],
] as const

/** Flags that may be given more than once. */
const isMany = (flags: string): boolean => flags.endsWith('...>')

export const addCommand = (parent: Command, spec: CommandSpec, onExit: (code: number) => void): Command => {
  const command = parent.command(spec.usage).description(spec.description)
  const own = spec.options ?? []
  const connection = spec.caller === 'nobody' || spec.caller === 'aws' ? [] : connectionOptions
  const tenant = spec.caller === 'tenant' ? tenantOptions : []
  for (const [flags, description] of [...own, ...tenant, ...connection]) {
    const option = new Option(flags.replace('...>', '>'), description)
    if (isMany(flags))
      option.argParser((value: string, before: unknown) => [...(Array.isArray(before) ? before : []), value])
    command.addOption(option)
  }
  command.option('--json', 'one JSON document on stdout, for programs')
  command.addHelpText(
    'after',
    `\nExamples:\n${spec.examples.map((line) => `  $ ${line.includes('berth ') ? line : `berth ${line}`}`).join('\n')}`,
  )
  command.action(async () => {
    const flags = command.opts<Flags>()
    const terminal = createTerminal({ json: flags['json'] === true })
    onExit(await runCommand(spec, { args: command.args, flags, terminal }))
  })
  return command
}

const runCommand = async (
  spec: CommandSpec,
  given: Pick<CommandContext, 'args' | 'flags' | 'terminal'>,
): Promise<number> => {
  const controller = new AbortController()
  const interrupt = (): void => controller.abort(interruption())
  // serve has a shutdown of its own.
  if (spec.caller !== 'nobody') process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  const { signal } = controller
  try {
    return (
      (await spec.act({
        ...given,
        signal,
        connect: () => connect(given.flags satisfies ConnectionFlags, { forTenant: spec.caller === 'tenant', signal }),
      })) ?? 0
    )
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
  }
}

export const interruption = (): DOMException => new DOMException('interrupted', 'AbortError')

/** The text of a flag, when it was given. */
export const textFlag = (flags: Flags, name: string): string | undefined => {
  const value = flags[name]
  return typeof value === 'string' ? value : undefined
}

export const listFlag = (flags: Flags, name: string): readonly string[] => {
  const value = flags[name]
  return Array.isArray(value) ? value : []
}

/** @throws {BerthError} invalid_request when it is no whole number */
export const numberFlag = (flags: Flags, name: string, shown: string): number | undefined => {
  const text = textFlag(flags, name)
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw usageError(
      `${shown}: expected a whole number from 1, got ${JSON.stringify(text)}`,
      `Give ${shown} a number, for example ${shown} 5000.`,
    )
  return value
}

/** A fault in what was typed. */
export const usageError = (detail: string, remedy: string): BerthError =>
  new BerthError('invalid_request', detail, { data: { remedy } })
