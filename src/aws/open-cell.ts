import { DescribeStacksCommand } from '@aws-sdk/client-cloudformation'
import { z } from 'zod'
import { BerthError } from '../domain/errors.ts'
import { isStackMissing } from './aws-errors.ts'
import { type Cell, type CellClients, defaultFunctionSettings, type Foundation, type FunctionSettings } from './cell.ts'
import { pacedCall } from './paced-call.ts'
import type { Pacer } from './pacer.ts'

export interface OpenCellOptions {
  readonly name: string
  readonly region: string
  readonly deployment: string
  readonly functions?: Partial<FunctionSettings>
  readonly clients: CellClients
  readonly pacer: Pacer
  readonly signal: AbortSignal
}

export const foundationStackOf = (deployment: string): string => `${deployment}-foundation`

/** Reads what `berth init` made in the cell. @throws {BerthError} config_invalid, backend_unavailable */
export const openCell = async (options: OpenCellOptions): Promise<Cell> => {
  const { name, region, deployment, clients, pacer, signal } = options
  const foundation = await readFoundation({ name, pacer, clients, deployment, region }, signal)
  const functions = { ...defaultFunctionSettings, ...options.functions }
  return { name, region, deployment, foundation, functions, clients, pacer }
}

type Where = Pick<Cell, 'name' | 'pacer' | 'deployment' | 'region'> & {
  readonly clients: Pick<CellClients, 'cloudFormation'>
}

export const readFoundation = async (where: Where, signal: AbortSignal): Promise<Foundation> => {
  const stack = foundationStackOf(where.deployment)
  const outputs = await readOutputs(where, stack, signal)
  if (outputs === null) throw notInitialised(where, `there is no stack ${stack}`)
  const parsed = foundationSchema.safeParse(outputs)
  if (!parsed.success) {
    const missing = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ')
    throw notInitialised(where, `expected outputs of stack ${stack}, got ${missing}`)
  }
  return parsed.data
}

const readOutputs = async (where: Where, stack: string, signal: AbortSignal) => {
  const call = {
    pool: 'stackReads',
    priority: 'waiting',
    operation: 'DescribeStacks',
    expected: isStackMissing,
  } as const
  try {
    const { Stacks = [] } = await pacedCall(where, { ...call, stack, signal }, (options) =>
      where.clients.cloudFormation.send(new DescribeStacksCommand({ StackName: stack }), options),
    )
    return Object.fromEntries((Stacks[0]?.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]))
  } catch (error) {
    if (isStackMissing(error)) return null
    throw error
  }
}

const notInitialised = ({ name, region, deployment }: Where, what: string): BerthError =>
  new BerthError(
    'config_invalid',
    `Cell ${name} (${region}) is not ready for Berth: ${what}. Run \`berth init\` for deployment ${deployment} in that account and ` +
      'Region, or correct what names the cell: BERTH_CELLS of a server, --region and --deployment of a command',
  )

const arn = z.string().startsWith('arn:')
const commaList = z
  .string()
  .default('')
  .transform((text) => text.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()])))

const foundationSchema = z
  .object({
    BucketName: z.string().min(3),
    RepositoryUri: z.string().min(1),
    BoundaryArn: arn,
    StackRoleArn: arn,
    WantedImageParameter: z.string().startsWith('/'),
    SubnetIds: commaList,
    SecurityGroupIds: commaList,
    NoEgress: z.enum(['true', 'false']).default('false'),
    RunRetentionDays: z.coerce.number().nullable().default(null),
  })
  .transform((outputs): Foundation => ({
    bucket: outputs.BucketName,
    repositoryUri: outputs.RepositoryUri,
    boundaryArn: outputs.BoundaryArn,
    stackRoleArn: outputs.StackRoleArn,
    wantedImageParameter: outputs.WantedImageParameter,
    subnetIds: outputs.SubnetIds,
    securityGroupIds: outputs.SecurityGroupIds,
    noEgress: outputs.NoEgress === 'true',
    runRetentionDays: outputs.RunRetentionDays,
  }))
