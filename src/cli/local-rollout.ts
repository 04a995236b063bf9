import type { WireRollout } from '../client/wire.ts'
import { BerthError } from '../domain/errors.ts'
import { type CommandContext, type CommandSpec, numberFlag, usageError } from './command.ts'
import { cellLines } from './commands/fleet.ts'
import { visible } from './visible.ts'

const LOCAL = ['--local', "instead: the one runner of a server's own machine"] as const

/** With `--local`: the server to speak to. */
export const localOptions = [
  LOCAL,
  ['--url <url>', 'with --local: the server (BERTH_URL; else http://127.0.0.1:8787)'],
  ['--key <key>', 'with --local: operator key (BERTH_KEY; else operator.key of the data directory)'],
] as const

export const isLocal = ({ flags }: CommandContext): boolean => flags['local'] === true

const ELSEWHERE =
  'image imageVersion percent berth tenant rollBack watchSeconds slowFactor settleSeconds region deployment'.split(' ')

const assertNoneOfAws = ({ flags }: CommandContext): void => {
  const wrong = ELSEWHERE.find((name) => flags[name] !== undefined)
  if (wrong === undefined) return
  throw usageError(
    `--local: expected no flags of a rollout on AWS, got ${wrong}`,
    'One machine has one runner for all berths: leave it out.',
  )
}

/** The server rolls out by itself: only it may touch the machine's store and runner. */
export const rollOutLocally = async (context: CommandContext): Promise<WireRollout> => {
  assertNoneOfAws(context)
  const { connect, flags, terminal, signal } = context
  const fence = numberFlag(flags, 'fence', '--fence')
  const report = await (await connect()).rollout({ dryRun: flags['dryRun'] === true, fence, signal })
  terminal.answer(report, () => linesOf(report))
  return report
}

export const rollBackLocally = async (context: CommandContext): Promise<WireRollout> => {
  assertNoneOfAws(context)
  const { connect, terminal, signal } = context
  const report = await (await connect()).rollBack({ signal })
  terminal.answer(report, () => linesOf(report))
  return report
}

export const fenceLocally = async (context: CommandContext, version: number): Promise<void> => {
  assertNoneOfAws(context)
  const { connect, terminal, signal } = context
  const held = await (await connect()).setFence(version, { signal })
  terminal.answer(held, () => [`runners older than version ${held.fence} refuse every run from now on`])
}

export const tellLocally = async (context: CommandContext): Promise<void> => {
  assertNoneOfAws(context)
  const { connect, terminal, signal } = context
  const cell = (await (await connect()).fleet({ signal })).find(({ cell }) => cell === 'local')
  if (cell === undefined)
    throw new BerthError('unsupported', 'This server has its berths on AWS: berth rollout status --region <region>')
  terminal.answer(cell, () => cellLines(cell, terminal))
}

/** What has no meaning on one machine says so, and what to do instead. */
export const notLocally = (spec: CommandSpec, instead: string): CommandSpec => ({
  ...spec,
  options: [...(spec.options ?? []), ['--local', 'has no meaning here: says what to do instead']],
  act: async (context) => {
    if (!isLocal(context)) return spec.act(context)
    const [name] = spec.usage.split(' ')
    throw usageError(
      `--local: expected start, status, rollback or fence, got ${name}: one machine has one runner for all berths, and a rollout there is one step`,
      instead,
    )
  },
})

const linesOf = ({ state, reason, target, updated, berths, failed }: WireRollout): readonly string[] => [
  `${state.replaceAll('_', ' ')}: version ${target.version}, ${updated} updated of ${berths} berths`,
  ...(reason === null ? [] : [visible(reason)]),
  ...failed.map(({ berthId, reason }) => `${berthId}: ${visible(reason)}`),
]
