import { type BerthId, berthIdSchema, type TenantId, tenantIdSchema } from '../../domain/ids.ts'
import type { Events } from '../../domain/ports/events.ts'
import type { CellRollout, RolloutOutcome, RolloutStatus, StartOptions } from '../../main/deployment/open-rollout.ts'
import { type CommandContext, type CommandSpec, listFlag, numberFlag, textFlag, usageError } from '../command.ts'
import { exitCodes, isAbort } from '../exit-code.ts'
import { writeJobSummary } from '../job-summary.ts'
import {
  fenceLocally,
  isLocal,
  localOptions,
  notLocally,
  rollBackLocally,
  rollOutLocally,
  tellLocally,
} from '../local-rollout.ts'
import { placeOf, placeOptions } from '../place-flags.ts'
import { startRolloutView } from '../rollout-view.ts'
import type { Terminal } from '../terminal.ts'
import { visible } from '../visible.ts'

const quiet: Events = { emit: () => undefined }

/** One cell, and what AWS says of it. */
const withCell = async <T>(
  { flags, signal }: CommandContext,
  events: Events,
  work: (rollout: CellRollout) => Promise<T>,
): Promise<T> => {
  const [{ openDeployment }, { openRollout }] = await Promise.all([
    import('../../main/deployment/deployment.ts'),
    import('../../main/deployment/open-rollout.ts'),
  ])
  using deployment = openDeployment(placeOf(flags, process.env))
  const databaseUrl = process.env['DATABASE_URL'] || null
  await using rollout = await openRollout(deployment, { databaseUrl, events, signal })
  return await work(rollout)
}

const endings: Readonly<Record<RolloutOutcome['state'], number>> = {
  planning: exitCodes.bug,
  updating: exitCodes.bug,
  checking: exitCodes.bug,
  sweeping: exitCodes.bug,
  rolling_back: exitCodes.bug,
  planned: exitCodes.ok,
  done: exitCodes.ok,
  some_failed: exitCodes.runFailed,
  held: exitCodes.stopped,
  superseded: exitCodes.stopped,
  halted: exitCodes.stopped,
  rolled_back: exitCodes.rolledBack,
}

const endingOf = (state: RolloutOutcome['state']): number => endings[state]

/** Whoever asks for the way back gets what was asked for. */
const asAsked = (state: RolloutOutcome['state']): number => (state === 'rolled_back' ? exitCodes.ok : endings[state])

/** Shows a rollout while it goes on, then tells how it ended, here and below the job of a workflow. */
const follow = async (
  context: CommandContext,
  work: (rollout: CellRollout) => Promise<RolloutOutcome>,
  codeOf = endingOf,
): Promise<number> => {
  const { terminal, flags } = context
  let limit = 0
  const view = startRolloutView({ limitPerSecond: () => limit, nowMs: () => performance.now() }, process.env)
  try {
    const report = await withCell(context, view.events, (rollout) => {
      limit = rollout.limitPerSecond
      return work(rollout)
    })
    view.stop()
    const { region, deployment } = placeOf(flags, process.env)
    await writeJobSummary(report, `${deployment} in ${region}`, process.env)
    terminal.answer(report, () => linesOf(report, terminal))
    return codeOf(report.state)
  } catch (error) {
    view.stop({ keep: true })
    if (isAbort(error))
      terminal.note('nothing is half done: the same command goes on, berth rollout status shows the fleet')
    throw error
  }
}

const linesOf = ({ state, reason, ...report }: RolloutOutcome, terminal: Terminal): readonly string[] => [
  `${state.replaceAll('_', ' ')}: version ${report.target.version}, ${report.updated} updated of ${report.berths} berths`,
  ...(reason === null ? [] : [visible(reason)]),
  ...(state === 'planned' ? report.waves.map(({ name, berths }) => `  ${name}: ${berths}`) : []),
  ...imageLines(Object.entries(report.images), terminal),
  ...[...report.failed, ...report.pinned].map(({ berthId, reason }) => `${berthId}: ${visible(reason)}`),
  ...(nextSteps[state] === undefined ? [] : [nextSteps[state]]),
]

const nextSteps: Partial<Record<RolloutOutcome['state'], string>> = {
  halted: 'mend it and start with the next image, or: berth rollout rollback',
  held: 'go on with: berth rollout resume',
  some_failed: 'start it again when the reasons are mended, or pin those berths',
}

const imageLines = (images: readonly (readonly [string, number])[], terminal: Terminal): readonly string[] =>
  terminal.table(
    [{ title: 'IMAGE' }, { title: 'BERTHS', align: 'right' }],
    images.map(([image, berths]) => [visible(image), String(berths)]),
  )

const SETTLE_OPTION = [
  '--settle-seconds <number>',
  'how long the creation of a berth may take, before the last listing (default 90)',
] as const

const goingOptions = [
  ...placeOptions,
  ['--roll-back', 'go back at once when a wave is not well; without it the rollout halts'],
  ['--watch-seconds <number>', 'how long to wait after the canaries and after the ring before the check (default 0)'],
  [
    '--slow-factor <number>',
    'how many times as long as on the old image a warm run may take before a wave halts, or off (default 3)',
  ],
  SETTLE_OPTION,
] as const

const goingOf = ({ flags }: CommandContext): Omit<StartOptions, 'target' | 'scope' | 'dryRun'> => {
  const watch = numberFlag(flags, 'watchSeconds', '--watch-seconds')
  const isOff = textFlag(flags, 'slowFactor') === 'off'
  const slowFactor = isOff ? null : numberFlag(flags, 'slowFactor', '--slow-factor')
  return {
    onUnhealthy: flags['rollBack'] === true ? 'roll_back' : 'halt',
    settings: {
      ...(watch !== undefined && { watchMs: watch * 1000 }),
      ...(slowFactor !== undefined && { slowFactor }),
      ...settleOf(flags),
    },
  }
}

const settleOf = (flags: CommandContext['flags']) => {
  const settle = numberFlag(flags, 'settleSeconds', '--settle-seconds')
  return settle === undefined ? {} : { creationMs: settle * 1000 }
}

const scopeOf = async ({ flags }: CommandContext): Promise<StartOptions['scope']> => {
  const percent = numberFlag(flags, 'percent', '--percent')
  const berths = listFlag(flags, 'berth')
  const tenants = listFlag(flags, 'tenant').map(tenantIdOf)
  if (percent !== undefined && percent > 100)
    throw usageError(`--percent: expected 1 to 100, got ${percent}`, 'Leave it out for the whole fleet.')
  if (berths.length + tenants.length > 0) {
    if (percent !== undefined) throw usageError('expected --percent or names, got both', 'Leave one of them out.')
    const ids = berths.map(berthIdOf)
    const names = await berthsOf(tenants)
    return { kind: 'berths', berthIds: new Set([...ids, ...names.keys()]), names }
  }
  return percent === undefined || percent === 100 ? { kind: 'all' } : { kind: 'percent', percent }
}

/** Only the servers' store knows whose berth is whose. */
const berthsOf = async (tenantIds: readonly TenantId[]) => {
  if (tenantIds.length === 0) return new Map<BerthId, string>()
  const databaseUrl = process.env['DATABASE_URL'] || null
  if (databaseUrl === null)
    throw usageError(
      '--tenant: expected DATABASE_URL, got none',
      "Set it to the servers' Postgres, or name berths with --berth; berth tenants show tells them.",
    )
  const { berthsOfTenants } = await import('../../main/deployment/berths-of-tenants.ts')
  return await berthsOfTenants(databaseUrl, tenantIds)
}

const tenantIdOf = (text: string) => {
  const parsed = tenantIdSchema.safeParse(text)
  if (parsed.success) return parsed.data
  throw usageError(`expected the id of a tenant, got ${JSON.stringify(text)}`, 'berth tenants ls names them.')
}

const berthIdOf = (text: string) => {
  const parsed = berthIdSchema.safeParse(text)
  if (parsed.success) return parsed.data
  throw usageError(`expected the id of a berth, got ${JSON.stringify(text)}`, 'berth tenants show names it.')
}

const start: CommandSpec = {
  usage: 'start',
  description:
    'Bring every berth of a cell to an image: canaries, a ring, the rest, each checked. Killed or interrupted it can be started again and goes on.',
  caller: 'aws',
  options: [
    ['--image <repository@sha256:…>', 'the image; without it the one that is on its way'],
    ['--image-version <number>', "version of the runner in it (default: this package's)"],
    ['--percent <number>', 'only so much of the fleet; new berths do not get the image then'],
    ['--berth <id...>', 'only these berths, several times'],
    ['--tenant <id...>', 'only the berths of these tenants, several times; needs DATABASE_URL'],
    ['--dry-run', 'only show the waves'],
    ...goingOptions,
    ...localOptions,
    ['--fence <number>', 'with --local: afterwards, the oldest runner version that may execute a run'],
  ],
  examples: [
    'rollout start --region eu-west-1 --image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/berth@sha256:… --roll-back',
    'rollout start --dry-run --json',
    'rollout start --local',
  ],
  act: async (context) => {
    if (isLocal(context)) return endings[(await rollOutLocally(context)).state]
    const options = { ...goingOf(context), scope: await scopeOf(context), dryRun: context.flags['dryRun'] === true }
    const target = await targetOf(context)
    return follow(context, (rollout) => rollout.start({ ...options, target }))
  },
}

const targetOf = async ({ flags }: CommandContext): Promise<StartOptions['target']> => {
  const image = textFlag(flags, 'image')
  if (image === undefined) return null
  const { packagedRunnerVersion } = await import('../../main/deployment/set-wanted-image.ts')
  return { image, version: numberFlag(flags, 'imageVersion', '--image-version') ?? packagedRunnerVersion() }
}

const resume: CommandSpec = {
  usage: 'resume',
  description: 'Go on with a rollout that was paused or has halted.',
  caller: 'aws',
  options: goingOptions,
  examples: ['rollout resume'],
  act: (context) => {
    const options = { ...goingOf(context), scope: { kind: 'all' }, dryRun: false } as const
    return follow(context, (rollout) => rollout.resume(options))
  },
}

const rollback: CommandSpec = {
  usage: 'rollback',
  description: 'Bring every berth back to the image before, at once. Cut off, start it again.',
  caller: 'aws',
  options: [...placeOptions, SETTLE_OPTION, ...localOptions],
  examples: ['rollout rollback --region eu-west-1', 'rollout rollback --local'],
  act: async (context) =>
    isLocal(context)
      ? asAsked((await rollBackLocally(context)).state)
      : follow(context, (rollout) => rollout.rollBack(settleOf(context.flags)), asAsked),
}

const status: CommandSpec = {
  usage: 'status',
  description: 'What is wanted, what the berths of a cell run, and who lags behind.',
  caller: 'aws',
  options: [...placeOptions, ...localOptions],
  examples: ['rollout status --region eu-west-1', 'rollout status --json', 'rollout status --local'],
  act: async (context) => {
    if (isLocal(context)) return tellLocally(context)
    const found = await withCell(context, quiet, (rollout) => rollout.status())
    context.terminal.answer(found, () => statusLines(found, context.terminal))
  },
}

const LAGGARDS_SHOWN = 20

const statusLines = ({ target, laggards, pins, ...status }: RolloutStatus, terminal: Terminal): readonly string[] => [
  `wanted: version ${target.version}, ${visible(target.image)}${status.offered ? '' : ' (new berths do not get it yet)'}`,
  `fence: ${status.fence}`,
  ...(status.held === null ? [] : [`held: ${visible(status.held)}`]),
  ...(status.updatesFailed === 0 ? [] : [`updates failed: ${status.updatesFailed}`]),
  ...imageLines(
    status.images.map(({ image, berths }) => [image, berths] as const),
    terminal,
  ),
  ...laggards
    .slice(0, LAGGARDS_SHOWN)
    .map(({ berthId, reason }) => `${berthId}${ownerOf(pins, berthId)}: ${visible(reason)}`),
  ...(laggards.length > LAGGARDS_SHOWN ? [`and ${laggards.length - LAGGARDS_SHOWN} more`] : []),
]

const ownerOf = (pins: RolloutStatus['pins'], berthId: BerthId): string => {
  const tenantId = pins.find((pin) => pin.berthId === berthId)?.tenantId ?? null
  return tenantId === null ? '' : ` of tenant ${tenantId}`
}

const pause: CommandSpec = {
  usage: 'pause',
  description:
    'Have rollouts of a cell stop after the updates that are under way, and those of the next images too, until resume.',
  caller: 'aws',
  options: [...placeOptions, ['--reason <text>', 'why, for whoever looks at it next (default "paused")']],
  examples: ['rollout pause --reason "the region is ill"'],
  act: async (context) => {
    const reason = textFlag(context.flags, 'reason') ?? 'paused'
    const wanted = await withCell(context, quiet, (rollout) => rollout.pause(reason))
    context.terminal.answer(wanted, () => ['rollouts of this cell stop within a few seconds'])
  },
}

const fence: CommandSpec = {
  usage: 'fence <version>',
  description:
    'Set the oldest runner version that may execute a run. Servers heed it within five seconds; a berth behind it is updated when a run needs it.',
  caller: 'aws',
  options: [...placeOptions, ...localOptions],
  examples: ['rollout fence 4 --region eu-west-1', 'rollout fence 4 --local'],
  act: async (context) => {
    const [text = ''] = context.args
    const version = Number(text)
    if (!Number.isSafeInteger(version) || version < 0)
      throw usageError(`expected a version from 0, got ${JSON.stringify(text)}`, 'For example berth rollout fence 4.')
    if (isLocal(context)) return fenceLocally(context, version)
    const wanted = await withCell(context, quiet, (rollout) => rollout.raiseFence(version))
    context.terminal.answer(wanted, () => [`runners older than version ${version} refuse runs within five seconds`])
  },
}

const TENANT_OPTION = ['--tenant <id>', 'the berth of this tenant, in place of its id; needs DATABASE_URL'] as const

/** A berth by its id, or by whose it is. */
const namedBerth = async ({ args, flags }: CommandContext) => {
  const [berth] = args
  const tenant = textFlag(flags, 'tenant')
  if ((berth === undefined) === (tenant === undefined))
    throw usageError(
      `expected a berth or --tenant, got ${berth === undefined ? 'neither' : 'both'}`,
      'berth tenants show names the berth of a tenant.',
    )
  if (tenant === undefined) return { berthId: berthIdOf(berth ?? ''), names: new Map<BerthId, string>() }
  const names = await berthsOf([tenantIdOf(tenant)])
  const [berthId = ''] = names.keys()
  return { berthId: berthIdOf(berthId), names }
}

const shownAs = ({ berthId, names }: Awaited<ReturnType<typeof namedBerth>>): string =>
  visible(names.get(berthId) ?? berthId)

const REASON_MOST = 200

const reasonOf = (flags: CommandContext['flags']): string => {
  const reason = textFlag(flags, 'reason') ?? ''
  if (reason.length > 0 && reason.length <= REASON_MOST) return reason
  throw usageError(
    `--reason: expected 1 to ${REASON_MOST} characters, got ${reason.length}`,
    'Say why, for whoever looks at it next.',
  )
}

const untilOf = (flags: CommandContext['flags']): string => {
  const text = textFlag(flags, 'until')
  const at = Date.parse(text ?? '')
  if (at > Date.now()) return new Date(at).toISOString()
  const got = text === undefined ? 'none: a pin without an end is forgotten' : JSON.stringify(text)
  throw usageError(`--until: expected a time to come, got ${got}`, 'For example --until 2027-01-31T08:00:00Z.')
}

const pin: CommandSpec = {
  usage: 'pin [berth]',
  description:
    'Keep a berth, or that of a tenant, on an image, for a while and for a reason. It shows as a laggard; the fence goes before it.',
  caller: 'aws',
  options: [
    ...placeOptions,
    TENANT_OPTION,
    ['--image <repository@sha256:…>', 'the image that it should have: refused when it has another one'],
    ['--reason <text>', 'why, 200 characters at most'],
    ['--until <time>', 'when a rollout may take it along, for example 2027-01-31 or 2027-01-31T08:00:00Z'],
  ],
  examples: [
    'rollout pin b… --reason "their audit" --until 2027-01-31',
    'rollout pin --tenant t… --reason "their audit" --until 2027-01-31T08:00:00Z',
  ],
  act: async (context) => {
    const { flags, terminal } = context
    const image = textFlag(flags, 'image')
    const [reason, until] = [reasonOf(flags), untilOf(flags)]
    const named = await namedBerth(context)
    const one = { berthId: named.berthId, reason, until, ...(image !== undefined && { image }) }
    const wanted = await withCell(context, quiet, (rollout) => rollout.pin(one, named.names))
    terminal.answer(wanted, () => [`${shownAs(named)} stays on its image until ${until}`])
  },
}

const unpin: CommandSpec = {
  usage: 'unpin [berth]',
  description: 'Let rollouts take a berth, or that of a tenant, along again.',
  caller: 'aws',
  options: [...placeOptions, TENANT_OPTION],
  examples: ['rollout unpin b…', 'rollout unpin --tenant t…'],
  act: async (context) => {
    const named = await namedBerth(context)
    const wanted = await withCell(context, quiet, (rollout) => rollout.unpin(named.berthId))
    context.terminal.answer(wanted, () => [`${shownAs(named)} goes with the next rollout`])
  },
}

const BACK = 'To keep all berths on the runner before: berth rollout rollback --local.'
const AGAIN = 'To bring what is installed, also after a rollout that was cut off: berth rollout start --local.'

export const rolloutCommands = {
  name: 'rollout',
  description: 'Bring the berths of a cell to an image, and see where they stand.',
  commands: [
    start,
    status,
    notLocally(pause, BACK),
    notLocally(resume, AGAIN),
    rollback,
    fence,
    notLocally(pin, BACK),
    notLocally(unpin, AGAIN),
  ],
}
