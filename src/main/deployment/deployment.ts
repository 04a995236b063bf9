import { DescribeStacksCommand, type Stack } from '@aws-sdk/client-cloudformation'
import { isStackMissing, orMisconfigured } from '../../aws/aws-errors.ts'
import type { Cell, CellClients } from '../../aws/cell.ts'
import { createCellClients } from '../../aws/clients.ts'
import { foundationStackOf } from '../../aws/open-cell.ts'
import { pacedCall } from '../../aws/paced-call.ts'
import { createPacer, type RequestPool } from '../../aws/pacer.ts'
import { sharedNameOf } from '../../backends/lambda-shared/shared-function.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import { createSystemClock } from '../system-clock.ts'

export interface DeploymentPlace {
  readonly region: string
  readonly deployment: string
  readonly roleArn?: string | undefined
  readonly externalId?: string | undefined
}

/** One deployment of Berth in one account and Region, before or after its foundation is there. */
export interface Deployment extends DeploymentPlace, Disposable {
  /** For errors and the pacer: a cell without what the foundation makes. */
  readonly cell: Pick<Cell, 'name' | 'pacer' | 'region' | 'deployment'> & { readonly clients: CellClients }
  readonly stackName: string
  readonly clock: Clock
}

export interface Following {
  readonly signal: AbortSignal
  /** Told what happens, line by line. */
  readonly onProgress: (line: string) => void
}

export const openDeployment = (place: DeploymentPlace, clock: Clock = createSystemClock()): Deployment => {
  const clients = createCellClients(place)
  const pacer = createPacer({ clock })
  const { region, deployment } = place
  return {
    ...place,
    cell: { name: region, region, deployment, clients, pacer },
    stackName: foundationStackOf(deployment),
    clock,
    [Symbol.dispose]: () => clients[Symbol.dispose](),
  }
}

/** One request of CloudFormation in its turn. @throws {BerthError} backend_unavailable, internal; what `expected` names, as AWS made it */
export const askCloudFormation = <T>(
  { cell, stackName }: Deployment,
  request: {
    readonly operation: string
    readonly pool?: RequestPool
    readonly signal: AbortSignal
    readonly expected?: (error: unknown) => boolean
  },
  send: (options: { abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> =>
  pacedCall(cell, { pool: 'stackReads', priority: 'waiting', stack: stackName, ...request }, send).catch(
    (error: unknown) => {
      throw orMisconfigured(error)
    },
  )

/** The same place, looking at the stack of the function that tenants share. */
export const sharedOf = (deployment: Deployment): Deployment => ({
  ...deployment,
  stackName: sharedNameOf(deployment.deployment),
})

/** By name, or by an id, which outlives the stack. Null when there is none. */
export const findStack = async (deployment: Deployment, stack: string, signal: AbortSignal): Promise<Stack | null> => {
  const { cloudFormation } = deployment.cell.clients
  const request = { operation: 'DescribeStacks', expected: isStackMissing, signal }
  try {
    const { Stacks = [] } = await askCloudFormation(deployment, request, (options) =>
      cloudFormation.send(new DescribeStacksCommand({ StackName: stack }), options),
    )
    return Stacks[0] ?? null
  } catch (error) {
    if (isStackMissing(error)) return null
    throw error
  }
}

export const outputsOf = (stack: Stack): Readonly<Record<string, string>> =>
  Object.fromEntries((stack.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]))
