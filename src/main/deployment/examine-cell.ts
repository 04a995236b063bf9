import { ListStacksCommand } from '@aws-sdk/client-cloudformation'
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts'
import type { Cell } from '../../aws/cell.ts'
import { createCellClients } from '../../aws/clients.ts'
import { openCell } from '../../aws/open-cell.ts'
import { pacedCall } from '../../aws/paced-call.ts'
import { createPacer } from '../../aws/pacer.ts'
import { awsRates } from '../../aws/pacer-rates.ts'
import { readQuotas } from '../../aws/quotas.ts'
import { createWantedImage } from '../../aws/wanted-image.ts'
import { berthIdOf } from '../../backends/lambda/names.ts'
import { livingStatuses } from '../../backends/lambda/stack-status.ts'
import { isBerthError } from '../../domain/errors.ts'
import type { CellSetting } from '../cell-setting.ts'
import { createSystemClock } from '../system-clock.ts'
import { examineShared } from './examine-shared.ts'

export interface CellFinding {
  readonly name: string
  readonly state: 'ok' | 'limited' | 'missing'
  readonly detail: string
  readonly remedy: string | null
}

/** Fewer sign-ups than this left, and it is time to ask for more: AWS may take days to raise a quota. */
const FEW_LEFT = 100

export interface ExamineOptions {
  readonly runRetentionDays: number
  /** Whether new berths are in the shared function. */
  readonly needsShared: boolean
  readonly signal: AbortSignal
}

/** What is there for berths in one cell, and for how many more. Changes nothing. */
export const examineCell = async (
  setting: CellSetting,
  { runRetentionDays, needsShared, signal }: ExamineOptions,
): Promise<readonly CellFinding[]> => {
  using clients = createCellClients(setting)
  const clock = createSystemClock()
  const pacer = createPacer({ clock })
  const found = (part: string, finding: Omit<CellFinding, 'name'>): CellFinding => ({
    name: `${setting.name}: ${part}`,
    ...finding,
  })
  const identity = await tryTo('AWS', () => clients.sts.send(new GetCallerIdentityCommand({}), { abortSignal: signal }))
  if ('error' in identity)
    return [
      found('identity', {
        state: 'missing',
        detail: identity.error,
        remedy:
          "Set AWS_PROFILE or the AWS_* keys; with roleArn, let these credentials assume that role. Without an answer: check the Region's name, the network, AWS_ENDPOINT_URL.",
      }),
    ]
  const who = found('identity', { ...fine, detail: `${identity.value.Arn ?? 'unknown'}, ${setting.region}` })
  const opened = await tryTo('AWS', () => openCell({ ...setting, clients, pacer, signal }))
  if ('error' in opened)
    return [who, found('foundation', { state: 'missing', detail: opened.error, remedy: remedyOfFoundation(setting) })]
  const cell = opened.value
  const rest = await Promise.all([
    examineImage(cell, signal),
    examineSharedFunction(cell, { isNeeded: needsShared, signal }),
    examineQuotas(cell, setting, signal),
  ])
  const pace = `at most ${awsRates.lambda.perSecond} requests/s to Lambda's control plane, of the 15 that AWS allows`
  return [
    who,
    found('foundation', { ...fine, detail: `bucket ${cell.foundation.bucket}, ${networkOf(cell)}` }),
    found('retention', examineRetention(cell, runRetentionDays)),
    ...rest.flat().map(({ name, ...finding }) => found(name, finding)),
    found('pace', { ...fine, detail: pace }),
  ]
}

const fine = { state: 'ok', remedy: null } as const

const networkOf = ({ foundation }: Cell): string =>
  foundation.noEgress ? 'functions in a VPC that leads nowhere' : 'functions reach the internet'

const remedyOfFoundation = ({ region, deployment }: CellSetting): string =>
  `berth init --region ${region} --deployment ${deployment}`

/** S3 must not delete what a run of which the server still tells has written. */
const examineRetention = (
  { foundation: { runRetentionDays: days = null } }: Cell,
  serverDays: number,
): Omit<CellFinding, 'name'> => {
  const remedy = `BERTH_RUN_RETENTION_DAYS=${serverDays} berth init, which sets RunRetentionDays of the foundation`
  if (days === null) return { state: 'limited', detail: "the foundation's template is older and does not tell", remedy }
  const detail = `S3 deletes outputs of runs after ${days} days, the server after ${serverDays}`
  return days < serverDays ? { state: 'limited', detail, remedy } : { ...fine, detail }
}

const examineImage = async (cell: Cell, signal: AbortSignal): Promise<readonly CellFinding[]> => {
  const name = 'wanted image'
  const remedy = `Push the runner image to ${cell.foundation.repositoryUri}, then berth init --image <repository>@sha256:<digest>`
  const read = await tryTo('AWS', () => createWantedImage(cell, createSystemClock()).read({ signal }))
  if ('error' in read) return [{ name, state: 'missing', detail: read.error, remedy }]
  if (read.value === null) return [{ name, state: 'missing', detail: 'none is set', remedy }]
  const { image, version, fence } = read.value
  return [{ name, ...fine, detail: `version ${version}, fence ${fence}, ${image}` }]
}

const examineSharedFunction = async (
  cell: Cell,
  options: { readonly isNeeded: boolean; readonly signal: AbortSignal },
): Promise<readonly CellFinding[]> => {
  const name = 'shared function'
  const read = await tryTo('AWS', () => examineShared(cell, options))
  if ('error' in read)
    return [{ name, state: 'missing', detail: read.error, remedy: 'Give the role the right that is named.' }]
  return read.value === null ? [] : [{ name, ...read.value }]
}

const examineQuotas = async (
  cell: Cell,
  { maxBerths }: CellSetting,
  signal: AbortSignal,
): Promise<readonly CellFinding[]> => {
  const read = await tryTo('AWS', async () => {
    const { all, ours } = await countStacks(cell, signal)
    return { ours, ...(await readQuotas(cell, all, { priority: 'waiting', signal })) }
  })
  if ('error' in read)
    return [{ name: 'quotas', state: 'missing', detail: read.error, remedy: 'Give the role the right that is named.' }]
  const { quotas, berthsLeft, raiseFirst, concurrency, ours } = read.value
  const left = Math.max(0, Math.min(berthsLeft, maxBerths - ours))
  const ownCap = maxBerths - ours < berthsLeft
  const raise = ownCap
    ? `Raise maxBerths of this cell in BERTH_CELLS (${maxBerths}).`
    : `Raise first: ${raiseFirst.raise}.`
  return [
    {
      name: 'sign-ups left',
      state: left === 0 ? 'missing' : left < FEW_LEFT ? 'limited' : 'ok',
      detail: `${left}, with ${ours} berths there; ${concurrency} runs at once in the account`,
      remedy: left < FEW_LEFT ? raise : null,
    },
    ...quotas.map(({ name, limit, used, raise }): CellFinding => ({
      name,
      state: used >= limit ? 'limited' : 'ok',
      detail: `${used} of ${limit}`,
      remedy: used >= limit ? raise : null,
    })),
  ]
}

/** Those that take room. */
const countStacks = async (cell: Cell, signal: AbortSignal): Promise<{ all: number; ours: number }> => {
  const count = { all: 0, ours: 0 }
  for (let token: string | undefined; ;) {
    const command = new ListStacksCommand({ StackStatusFilter: [...livingStatuses], NextToken: token })
    const call = { pool: 'stackReads', priority: 'waiting', operation: 'ListStacks', signal } as const
    const page = await pacedCall(cell, call, (options) => cell.clients.cloudFormation.send(command, options))
    const living = page.StackSummaries ?? []
    count.all += living.length
    count.ours += living.filter(({ StackName = '' }) => berthIdOf(cell.deployment, StackName) !== null).length
    if (page.NextToken === undefined) return count
    token = page.NextToken
  }
}

const tryTo = async <T>(what: string, work: () => Promise<T>): Promise<{ value: T } | { error: string }> => {
  try {
    return { value: await work() }
  } catch (error) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    return { error: isBerthError(error) ? error.message : `${what} says ${text}` }
  }
}
