import { DescribeAccountLimitsCommand } from '@aws-sdk/client-cloudformation'
import { GetAccountSummaryCommand } from '@aws-sdk/client-iam'
import { GetAccountSettingsCommand } from '@aws-sdk/client-lambda'
import type { Cell } from './cell.ts'
import { pacedCall } from './paced-call.ts'
import type { Priority } from './pacer.ts'

export interface Quota {
  readonly name: string
  readonly limit: number
  readonly used: number
  /** How to have it raised. */
  readonly raise: string
}

export interface CellQuotas {
  readonly quotas: readonly Quota[]
  /** Berths that still fit: the least of what is left of each. */
  readonly berthsLeft: number
  /** What runs out first. */
  readonly raiseFirst: Quota
  /** Runs that the account may execute at once; shared by all berths of the cell. */
  readonly concurrency: number
  /** Of these, what is left for functions without a reservation; AWS keeps at least 100. */
  readonly unreservedConcurrency: number
}

interface Asked {
  readonly priority: Priority
  readonly signal: AbortSignal
}

/** What the account really allows, asked of AWS. `stacks` is how many stacks there are, whoever's they are. */
export const readQuotas = async (cell: Cell, stacks: number, asked: Asked): Promise<CellQuotas> => {
  const [stackLimit, roles, account] = await Promise.all([
    readStackLimit(cell, asked),
    readRoles(cell, asked),
    readAccount(cell, asked),
  ])
  const quotas: Quota[] = [
    {
      name: 'CloudFormation stacks',
      limit: stackLimit,
      used: stacks,
      raise: `Service Quotas, AWS CloudFormation, "Stack count" (L-0485CB21) in ${cell.region}`,
    },
    {
      name: 'IAM roles',
      ...roles,
      raise: 'Service Quotas, IAM, "Roles per account" (L-FE177D64) in us-east-1; at most 10,000',
    },
    ...reservedQuota(cell, account),
  ]
  const raiseFirst = quotas.toSorted((one, other) => leftOf(one) - leftOf(other))[0] as Quota
  return { quotas, berthsLeft: Math.max(0, leftOf(raiseFirst)), raiseFirst, ...account }
}

const leftOf = ({ limit, used }: Quota): number => limit - used

const LEAST_UNRESERVED = 100

/** Only where every berth reserves concurrency does it limit their number. */
const reservedQuota = (cell: Cell, account: { concurrency: number; unreservedConcurrency: number }): Quota[] => {
  const each = cell.functions.reservedConcurrency
  if (each === null || each === 0) return []
  return [
    {
      name: 'Reserved concurrency, in berths',
      limit: Math.floor(Math.max(0, account.concurrency - LEAST_UNRESERVED) / each),
      used: Math.ceil((account.concurrency - account.unreservedConcurrency) / each),
      raise: `Service Quotas, AWS Lambda, "Concurrent executions" (L-B99A9384) in ${cell.region}`,
    },
  ]
}

const readStackLimit = async (cell: Cell, asked: Asked): Promise<number> => {
  const call = { pool: 'stackReads', operation: 'DescribeAccountLimits', ...asked } as const
  for (let token: string | undefined; ;) {
    const command = new DescribeAccountLimitsCommand({ NextToken: token })
    const page = await pacedCall(cell, call, (options) => cell.clients.cloudFormation.send(command, options))
    const found = page.AccountLimits?.find(({ Name }) => Name === 'StackLimit')?.Value
    if (found !== undefined) return found
    // AWS leaves out what it does not count; then the default holds.
    if (page.NextToken === undefined) return DEFAULT_STACKS
    token = page.NextToken
  }
}

/** @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html (2026-11-22) */
const DEFAULT_STACKS = 2000
/** @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html (2026-11-22) */
const DEFAULT_ROLES = 1000

const readRoles = async (cell: Cell, asked: Asked): Promise<{ limit: number; used: number }> => {
  const call = { pool: 'iam', operation: 'GetAccountSummary', ...asked } as const
  const { SummaryMap = {} } = await pacedCall(cell, call, (options) =>
    cell.clients.iam.send(new GetAccountSummaryCommand({}), options),
  )
  return { limit: SummaryMap['RolesQuota'] ?? DEFAULT_ROLES, used: SummaryMap['Roles'] ?? 0 }
}

const readAccount = async (
  cell: Cell,
  asked: Asked,
): Promise<{ concurrency: number; unreservedConcurrency: number }> => {
  const call = { pool: 'lambda', operation: 'GetAccountSettings', ...asked } as const
  const { AccountLimit } = await pacedCall(cell, call, (options) =>
    cell.clients.lambda.send(new GetAccountSettingsCommand({}), options),
  )
  const concurrency = AccountLimit?.ConcurrentExecutions ?? 0
  return { concurrency, unreservedConcurrency: AccountLimit?.UnreservedConcurrentExecutions ?? concurrency }
}
