import type { Deployment } from '../../main/deployment/deployment.ts'
import type { FoundationPlan, PlannedChange } from '../../main/deployment/plan-foundation.ts'
import { askYesNo } from '../ask.ts'
import { type CommandContext, type CommandSpec, listFlag, numberFlag, textFlag, usageError } from '../command.ts'
import { placeOf, placeOptions } from '../place-flags.ts'
import { runRetentionDaysOf } from '../run-retention-days.ts'
import type { Terminal } from '../terminal.ts'
import { visible } from '../visible.ts'

export const initCommand: CommandSpec = {
  usage: 'init',
  description:
    'Deploy or update the foundation of a cell on AWS: bucket, image repository, roles, the permissions boundary. Shows what would change, then asks.',
  caller: 'aws',
  options: [
    ...placeOptions,
    ['--vpc', 'put functions into a VPC that leads nowhere (parameter Vpc=true)'],
    ['--github <owner/repo>', 'repository whose workflow builds and rolls out images (GitHubRepository)'],
    ['--alarm-email <address>', 'where alarms are mailed to (AlarmEmail)'],
    [
      '--set <Name=value...>',
      'any other parameter of templates/foundation.yaml (with --shared of shared.yaml), several times',
    ],
    ['--shared', 'the one function of BERTH_BACKEND=lambda-shared, on the wanted image, in place of the foundation'],
    ['--image <repository@sha256:…>', 'image that new berths get'],
    ['--image-version <number>', "version of the runner in that image (default: this package's)"],
    ['--name <name>', 'name of the cell in BERTH_CELLS (default: the Region)'],
    ['--dry-run', 'only show what would change'],
    ['--yes', 'do not ask'],
  ],
  examples: [
    'init --region eu-west-1',
    'init --region eu-west-1 --vpc --yes --json',
    'init --region eu-west-1 --github example/app --set CreateGitHubProvider=true',
    'init --region eu-west-1 --shared --set Profile=evaluator',
    'init --region eu-west-1 --image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/berth@sha256:…',
  ],
  act: async (context) => {
    const { flags, terminal } = context
    const parameters = parametersOf(context)
    assertImage(context)
    const place = placeOf(flags, process.env)
    const { openDeployment } = await import('../../main/deployment/deployment.ts')
    using deployment = openDeployment(place)
    const { stack, plan } = await planOf(deployment, parameters, context)
    showPlan(plan, stack, terminal)
    const done = { stack, kind: plan.kind, changes: plan.changes }
    if (!(await mayGoOn(plan, context))) {
      await plan.discard(new AbortController().signal)
      return terminal.answer({ ...done, applied: false }, () => ['nothing was changed'])
    }
    const outputs = await carryOut(plan, context)
    const wanted = await setImage(deployment, context)
    const settings = settingsOf(context, place, outputs)
    terminal.answer({ ...done, applied: true, outputs, wanted, ...settings }, () => [
      ...terminal.table([{ title: 'OUTPUT' }, { title: 'VALUE' }], Object.entries(outputs)),
      ...(wanted === null ? [] : [`new berths get version ${wanted.version}: ${wanted.image}`]),
      '',
      'the server needs:',
      ...Object.entries(settings).map(([name, value]) => `  ${name}='${value}'`),
    ])
  },
}

const planOf = async (
  deployment: Deployment,
  parameters: Readonly<Record<string, string>>,
  { flags, terminal, signal }: CommandContext,
): Promise<{ stack: string; plan: FoundationPlan }> => {
  const planning = terminal.progress(`asking AWS what would change in ${deployment.region}`)
  try {
    if (flags['shared'] !== true) {
      const { planFoundation } = await import('../../main/deployment/plan-foundation.ts')
      return { stack: deployment.stackName, plan: await planFoundation(deployment, { parameters, signal }) }
    }
    const [{ sharedOf }, { planShared }] = await Promise.all([
      import('../../main/deployment/deployment.ts'),
      import('../../main/deployment/plan-shared.ts'),
    ])
    return { stack: sharedOf(deployment).stackName, plan: await planShared(deployment, { parameters, signal }) }
  } finally {
    planning.stop()
  }
}

/** The cell's entry is printed with its foundation; the shared function adds nothing to it. */
const settingsOf = (
  context: CommandContext,
  place: ReturnType<typeof placeOf>,
  outputs: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> =>
  context.flags['shared'] === true
    ? { BERTH_BACKEND: 'lambda-shared' }
    : { BERTH_BACKEND: 'lambda', BERTH_CELLS: JSON.stringify([cellEntry(context, place, outputs)]) }

const MAX_RETENTION_DAYS = 3650

/** The server deletes first; S3 makes up for what it could not. Left as it is where nothing says what the server has. */
const retention = (env: NodeJS.ProcessEnv): Readonly<Record<string, string>> =>
  env['BERTH_RUN_RETENTION_DAYS'] === undefined
    ? {}
    : { RunRetentionDays: String(Math.min(runRetentionDaysOf(env) + 5, MAX_RETENTION_DAYS)) }

const parametersOf = ({ flags }: CommandContext): Readonly<Record<string, string>> => {
  const set = listFlag(flags, 'set').map((text) => {
    const at = text.indexOf('=')
    if (at < 1)
      throw usageError(`--set: expected Name=value, got ${JSON.stringify(text)}`, 'For example --set GuardDuty=true.')
    return [text.slice(0, at), text.slice(at + 1)] as const
  })
  const [github, email] = [textFlag(flags, 'github'), textFlag(flags, 'alarmEmail')]
  return {
    ...(flags['shared'] !== true && retention(process.env)),
    ...(flags['vpc'] === true && { Vpc: 'true' }),
    ...(github !== undefined && { GitHubRepository: github }),
    ...(email !== undefined && { AlarmEmail: email }),
    ...Object.fromEntries(set),
  }
}

const showPlan = ({ kind, changes }: FoundationPlan, stack: string, terminal: Terminal): void => {
  if (kind === 'unchanged') return terminal.note(`stack ${stack} is as it should be`)
  terminal.note(`stack ${stack} would be ${kind === 'create' ? 'made' : 'updated'}:`)
  for (const line of terminal.table(
    [{ title: 'ACTION' }, { title: 'RESOURCE' }, { title: 'TYPE' }],
    changes.map(cells),
  ))
    terminal.note(line)
}

const cells = ({ action, resource, type, replaced }: PlannedChange): readonly string[] => [
  replaced ? `${action}, made anew` : action,
  resource,
  type,
]

const mayGoOn = async (plan: FoundationPlan, { flags, signal }: CommandContext): Promise<boolean> => {
  if (flags['dryRun'] === true) return false
  if (plan.kind === 'unchanged' || flags['yes'] === true) return true
  return askYesNo('Go ahead?', signal).catch(async (error: unknown) => {
    await plan.discard(new AbortController().signal)
    throw error
  })
}

const carryOut = async (plan: FoundationPlan, { terminal, signal }: CommandContext) => {
  if (plan.kind === 'unchanged') return plan.execute({ signal, onProgress: () => undefined })
  const progress = terminal.progress('waiting for CloudFormation')
  const onProgress = (line: string): void => progress.update(visible(line))
  try {
    return await plan.execute({ signal, onProgress })
  } catch (error) {
    if (signal.aborted) progress.stop('CloudFormation goes on without us; start the same command again when it rests')
    throw error
  } finally {
    progress.stop()
  }
}

/** Before anything is changed for an image that is none. */
const assertImage = ({ flags }: CommandContext): void => {
  const image = textFlag(flags, 'image')
  const version = numberFlag(flags, 'imageVersion', '--image-version')
  if (image === undefined && version !== undefined)
    throw usageError('--image-version: expected it with --image, got it alone', 'Name the image too.')
  if (image !== undefined && !/@sha256:[0-9a-f]{64}$/.test(image))
    throw usageError(
      `--image: expected <repository>@sha256:<64 hex digits>, got ${JSON.stringify(image)}`,
      'A tag can be moved, so images are named by digest: docker push prints it, aws ecr describe-images shows it.',
    )
}

const setImage = async (deployment: Deployment, { flags, signal }: CommandContext) => {
  const image = textFlag(flags, 'image')
  if (image === undefined) return null
  const { packagedRunnerVersion, setWantedImage } = await import('../../main/deployment/set-wanted-image.ts')
  const version = numberFlag(flags, 'imageVersion', '--image-version') ?? packagedRunnerVersion()
  return (await setWantedImage(deployment, { image, version }, signal)).wanted
}

const cellEntry = (
  { flags }: CommandContext,
  { region, deployment }: ReturnType<typeof placeOf>,
  outputs: Readonly<Record<string, string>>,
) => ({ name: textFlag(flags, 'name') ?? region, region, deployment, roleArn: outputs['ServerRoleArn'] })
