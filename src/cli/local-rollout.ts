import type { WireRollout } from '../client/wire.ts'
import { type CommandContext, numberFlag, usageError } from './command.ts'
import { visible } from './visible.ts'

export const localOptions = [
  ['--local', "instead: the runner that is installed where a server's berths live on its own machine"],
  ['--fence <number>', 'with --local: afterwards, the oldest runner version that may execute a run'],
  ['--url <url>', 'with --local: the server (BERTH_URL; else http://127.0.0.1:8787)'],
  ['--key <key>', 'with --local: operator key (BERTH_KEY; else operator.key of the data directory)'],
] as const

const ELSEWHERE = ['image', 'imageVersion', 'percent', 'berth', 'tenant', 'rollBack', 'watchSeconds', 'region'] as const

/** The server rolls out by itself: only it may touch the machine's store and runner. */
export const rollOutLocally = async ({ connect, flags, terminal, signal }: CommandContext): Promise<WireRollout> => {
  const wrong = ELSEWHERE.find((name) => flags[name] !== undefined)
  if (wrong !== undefined)
    throw usageError(
      `--local: expected no flags of a rollout on AWS, got ${wrong}`,
      'One machine has one runner for all berths: leave it out.',
    )
  const fence = numberFlag(flags, 'fence', '--fence')
  const report = await (await connect()).rollout({ dryRun: flags['dryRun'] === true, fence, signal })
  terminal.answer(report, () => linesOf(report))
  return report
}

const linesOf = ({ state, reason, target, updated, berths, failed }: WireRollout): readonly string[] => [
  `${state.replaceAll('_', ' ')}: version ${target.version}, ${updated} updated of ${berths} berths`,
  ...(reason === null ? [] : [visible(reason)]),
  ...failed.map(({ berthId, reason }) => `${berthId}: ${visible(reason)}`),
]
