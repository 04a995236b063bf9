import { DeleteRepositoryCommand, ECRClient } from '@aws-sdk/client-ecr'
import { ListStacksCommand, type Stack } from '@aws-sdk/client-cloudformation'
import { DeleteBucketCommand, DeleteObjectsCommand, ListObjectVersionsCommand } from '@aws-sdk/client-s3'
import { awsFailureOf, isNotFound } from '../../aws/aws-errors.ts'
import { openCell } from '../../aws/open-cell.ts'
import { markedBerths } from '../../backends/lambda-shared/marks.ts'
import { createStackBerths } from '../../backends/lambda/stack-berths.ts'
import { BerthError } from '../../domain/errors.ts'
import { askCloudFormation, type Deployment, findStack, type Following, outputsOf, sharedOf } from './deployment.ts'
import { followStack, lastEventOf } from './follow-stack.ts'
import { deleteStack } from './plan-foundation.ts'

/** What `berth destroy` would take away. */
export interface Removal {
  /** Null when an earlier try has deleted the stack and something of it is left. */
  readonly stackId: string | null
  /** Of the function that tenants share, where there is one. */
  readonly sharedStackId: string | null
  /** Kept by the stack's deletion, so that no slip of the hand deletes users' files; removed after it. */
  readonly bucket: string
  readonly repository: string
}

/** Null when there is nothing of this deployment. @throws {BerthError} conflict while berths remain */
export const planRemoval = async (deployment: Deployment, signal: AbortSignal): Promise<Removal | null> => {
  const present = await findStack(deployment, deployment.stackName, signal)
  const stack = present ?? (await lastDeleted(deployment, signal))
  if (stack === null) return null
  const outputs = outputsOf(stack)
  // A stack that never came to be has no outputs, and no berth can have been made from it.
  if (present !== null && outputs['BucketName'] !== undefined) await assertNoBerths(deployment, signal)
  return {
    stackId: present?.StackId ?? null,
    sharedStackId: (await findStack(deployment, sharedOf(deployment).stackName, signal))?.StackId ?? null,
    bucket: outputs['BucketName'] ?? '',
    repository: (outputs['RepositoryUri'] ?? '').split('/').slice(1).join('/'),
  }
}

const SHOWN = 5

const assertNoBerths = async (deployment: Deployment, signal: AbortSignal): Promise<void> => {
  const { cell, clock, deployment: name } = deployment
  const opened = await openCell({ ...cell, signal })
  const wantedImage = { read: async () => null }
  const berths: string[] = []
  for await (const { berthId } of createStackBerths({ cell: opened, clock, wantedImage }).list({ signal }))
    berths.push(berthId)
  for await (const berthId of markedBerths(opened, signal)) berths.push(berthId)
  if (berths.length === 0) return
  const some = berths.slice(0, SHOWN).join(', ')
  const more = berths.length > SHOWN ? ', …' : ''
  throw new BerthError(
    'conflict',
    `${berths.length} ${berths.length === 1 ? 'berth remains' : 'berths remain'} in deployment ${name} (${some}${more})`,
    {
      data: {
        berths: berths.length,
        remedy:
          'Delete their tenants (berth tenants delete), stop the servers (spares come back), then berth reconcile --apply.',
      },
    },
  )
}

/** The stack's own id outlives it for 90 days, so a removal that was cut off can be ended. */
const lastDeleted = async (deployment: Deployment, signal: AbortSignal): Promise<Stack | null> => {
  for (let token: string | undefined; ;) {
    const command = new ListStacksCommand({ StackStatusFilter: ['DELETE_COMPLETE'], NextToken: token })
    const page = await askCloudFormation(deployment, { operation: 'ListStacks', signal }, (options) =>
      deployment.cell.clients.cloudFormation.send(command, options),
    )
    const found = page.StackSummaries?.find(({ StackName }) => StackName === deployment.stackName)
    if (found?.StackId !== undefined) return findStack(deployment, found.StackId, signal)
    if (page.NextToken === undefined) return null
    token = page.NextToken
  }
}

/** The stack first: its bucket policy may keep everyone outside a VPC from emptying the bucket. */
export const remove = async (deployment: Deployment, removal: Removal, following: Following): Promise<void> => {
  const { stackId, sharedStackId, bucket, repository } = removal
  // Its role has the foundation's boundary, which cannot go before it.
  if (sharedStackId !== null) await removeStack(sharedOf(deployment), sharedStackId, following)
  if (stackId !== null) await removeStack(deployment, stackId, following)
  if (bucket !== '') await removeBucket(deployment, bucket, following)
  if (repository !== '') await removeRepository(deployment, repository, following)
}

const removeStack = async (deployment: Deployment, stackId: string, following: Following): Promise<void> => {
  const after = await lastEventOf(deployment, stackId, following.signal)
  await deleteStack(deployment, stackId, following.signal)
  await followStack(deployment, { ...following, stackId, after })
}

const isGone = (error: unknown): boolean =>
  isNotFound(error) || awsFailureOf(error)?.name === 'RepositoryNotFoundException'

const removeBucket = async ({ cell }: Deployment, Bucket: string, { signal, onProgress }: Following): Promise<void> => {
  const { s3 } = cell.clients
  const options = { abortSignal: signal }
  try {
    for (let count = 0; ;) {
      const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }), options)
      const Objects = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }))
      if (Objects.length === 0) break
      const { Errors = [] } = await s3.send(
        new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }),
        options,
      )
      // Without this a version that cannot be deleted would be listed for ever.
      if (Errors[0] !== undefined) throw stuck(Bucket, `${Errors[0].Code} for ${Errors[0].Key}`)
      count += Objects.length
      onProgress(`deleted ${count} object versions of bucket ${Bucket}`)
    }
    await s3.send(new DeleteBucketCommand({ Bucket }), options)
    onProgress(`deleted bucket ${Bucket}`)
  } catch (error) {
    if (!isGone(error)) throw error
    onProgress(`bucket ${Bucket} is gone already`)
  }
}

const stuck = (bucket: string, why: string): BerthError =>
  new BerthError('backend_unavailable', `Bucket ${bucket} could not be emptied: ${why}`)

const removeRepository = async (
  { region }: Deployment,
  repositoryName: string,
  { signal, onProgress }: Following,
): Promise<void> => {
  const ecr = new ECRClient({ region })
  try {
    await ecr.send(new DeleteRepositoryCommand({ repositoryName, force: true }), { abortSignal: signal })
    onProgress(`deleted repository ${repositoryName} with its images`)
  } catch (error) {
    if (!isGone(error)) throw error
    onProgress(`repository ${repositoryName} is gone already`)
  } finally {
    ecr.destroy()
  }
}
