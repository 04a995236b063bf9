// @module-tag aws-local
import { GetRoleCommand, IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam'
import { InvokeCommand, LambdaClient, ListFunctionsCommand, UpdateFunctionCodeCommand } from '@aws-sdk/client-lambda'
import {
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketPolicyCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { filesPrefixOf, nameOf, rolePathOf } from '../../../src/backends/lambda/names.ts'
import type { BerthId } from '../../../src/domain/ids.ts'
import { quiet } from '../../contract/content.ts'
import { ownerOf } from '../../support/owner-of.ts'
import { type CellSite, openCellSite } from './cell-site.ts'

/** What an attempt ended with: its answer's beginning, or the name of the refusal. */
type Attempt = (role: Role) => Promise<unknown>

interface Role {
  readonly s3: S3Client
  readonly lambda: LambdaClient
  readonly iam: IAMClient
  readonly sts: STSClient
  readonly ssm: SSMClient
  readonly bucket: string
  /** Key of a file of its own, and prefix of its files. */
  readonly own: string
  readonly ownPrefix: string
  /** The same of another berth. */
  readonly other: string
  readonly otherPrefix: string
  readonly otherName: string
  readonly otherRoleArn: string
  readonly name: string
}

interface Matrix extends AsyncDisposable {
  readonly role: Role
}

const roleArnOf = async (iam: IAMClient, RoleName: string): Promise<string> =>
  (await iam.send(new GetRoleCommand({ RoleName }))).Role?.Arn ?? ''

/** Clients with what the function itself gets: credentials of the berth's own role. */
const openRole = async (site: CellSite, berthId: BerthId, otherId: BerthId): Promise<Role> => {
  const { cell, aws } = site
  const [name, otherName] = [nameOf(cell.deployment, berthId), nameOf(cell.deployment, otherId)]
  const RoleArn = await roleArnOf(cell.clients.iam, name)
  const { Credentials } = await cell.clients.sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: name }))
  const credentials = {
    accessKeyId: Credentials?.AccessKeyId ?? '',
    secretAccessKey: Credentials?.SecretAccessKey ?? '',
    sessionToken: Credentials?.SessionToken ?? '',
  }
  const client = { ...aws.client, credentials, maxAttempts: 1 }
  return {
    s3: new S3Client({ ...client, forcePathStyle: true }),
    lambda: new LambdaClient(client),
    iam: new IAMClient(client),
    sts: new STSClient(client),
    ssm: new SSMClient(client),
    bucket: cell.foundation.bucket,
    own: `${filesPrefixOf(berthId)}mine.txt`,
    ownPrefix: filesPrefixOf(berthId),
    other: `${filesPrefixOf(otherId)}theirs.txt`,
    otherPrefix: filesPrefixOf(otherId),
    name,
    otherName,
    otherRoleArn: await roleArnOf(cell.clients.iam, otherName),
  }
}

const openMatrix = async (isEnforcing: boolean): Promise<Matrix> => {
  const site = await openCellSite({ isEnforcing })
  const [berthId, otherId] = [await site.makeBerth(), await site.makeBerth()]
  const role = await openRole(site, berthId, otherId)
  for (const id of [berthId, otherId]) await site.berths.owners.record(ownerOf(id), { signal: quiet() })
  for (const [Key, Body] of [
    [role.own, 'mine'],
    [role.other, 'theirs'],
  ] as const)
    await site.cell.clients.s3.send(new PutObjectCommand({ Bucket: role.bucket, Key, Body }))
  return { role, [Symbol.asyncDispose]: site[Symbol.asyncDispose] }
}

const outcomeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work
    return 'possible'
  } catch (error) {
    const { name, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } }
    // A HEAD has no body to carry a name.
    return $metadata?.httpStatusCode === 403 ? 'AccessDenied' : name
  }
}

const signedGet = async ({ s3, bucket }: Role, Key: string): Promise<void> => {
  const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket: bucket, Key }))
  const answer = await fetch(url)
  await answer.arrayBuffer()
  if (!answer.ok)
    throw Object.assign(new Error(), { name: String(answer.status), $metadata: { httpStatusCode: answer.status } })
}

/** Keys that begin as the own prefix does, up to its "/": user1 and user10. */
const sameStart = ({ ownPrefix }: Role): string => `${ownPrefix.slice(0, -'/files/'.length)}a/files/x`

const allowed: Readonly<Record<string, Attempt>> = {
  'reads its own file': ({ s3, bucket, own }) => s3.send(new GetObjectCommand({ Bucket: bucket, Key: own })),
  'writes an artifact of its own': ({ s3, bucket, ownPrefix }) =>
    s3.send(new PutObjectCommand({ Bucket: bucket, Key: `${ownPrefix.replace('/files/', '/runs/')}x`, Body: 'x' })),
  'reads its own file by a signed URL': (role) => signedGet(role, role.own),
}

const forbidden: Readonly<Record<string, Attempt>> = {
  "read another's file": ({ s3, bucket, other }) => s3.send(new GetObjectCommand({ Bucket: bucket, Key: other })),
  "look at another's file": ({ s3, bucket, other }) => s3.send(new HeadObjectCommand({ Bucket: bucket, Key: other })),
  "overwrite another's file": ({ s3, bucket, other }) =>
    s3.send(new PutObjectCommand({ Bucket: bucket, Key: other, Body: 'x' })),
  'write beside its prefix, where another that begins the same may lie': (role) =>
    role.s3.send(new PutObjectCommand({ Bucket: role.bucket, Key: sameStart(role), Body: 'x' })),
  'write at the top of the bucket': ({ s3, bucket }) =>
    s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'x', Body: 'x' })),
  "list another's files": ({ s3, bucket, otherPrefix }) =>
    s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: otherPrefix })),
  'list all berths': ({ s3, bucket }) => s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'berths/' })),
  'list the whole bucket': ({ s3, bucket }) => s3.send(new ListObjectsV2Command({ Bucket: bucket })),
  'list what begins as its own prefix does, without the slash': ({ s3, bucket, ownPrefix }) =>
    s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: ownPrefix.slice(0, -'/files/'.length) })),
  "list versions of another's files": ({ s3, bucket, otherPrefix }) =>
    s3.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: otherPrefix })),
  "copy another's file to itself": ({ s3, bucket, other, own }) =>
    s3.send(new CopyObjectCommand({ Bucket: bucket, Key: `${own}.copy`, CopySource: `${bucket}/${other}` })),
  'copy its file into another': ({ s3, bucket, other, own }) =>
    s3.send(new CopyObjectCommand({ Bucket: bucket, Key: `${other}.copy`, CopySource: `${bucket}/${own}` })),
  'begin an upload into another': ({ s3, bucket, otherPrefix }) =>
    s3.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: `${otherPrefix}half` })),
  "copy another's file as a part of its own": async ({ s3, bucket, other, own }) => {
    const upload = { Bucket: bucket, Key: `${own}.parts` }
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand(upload))
    await s3.send(new UploadPartCopyCommand({ ...upload, UploadId, PartNumber: 1, CopySource: `${bucket}/${other}` }))
  },
  "read another's file by a signed URL": (role) => signedGet(role, role.other),
  'read whose its berth is': ({ s3, bucket, ownPrefix }) =>
    s3.send(new GetObjectCommand({ Bucket: bucket, Key: ownPrefix.replace('/files/', '/owner.json') })),
  "read whose another's berth is": ({ s3, bucket, otherPrefix }) =>
    s3.send(new GetObjectCommand({ Bucket: bucket, Key: otherPrefix.replace('/files/', '/owner.json') })),
  'say itself whose its berth is': ({ s3, bucket, ownPrefix }) =>
    s3.send(new PutObjectCommand({ Bucket: bucket, Key: ownPrefix.replace('/files/', '/owner.json'), Body: 'x' })),
  "read the bucket's policy": ({ s3, bucket }) => s3.send(new GetBucketPolicyCommand({ Bucket: bucket })),
  'list the buckets of the account': ({ s3 }) => s3.send(new ListBucketsCommand()),
  "invoke another's function": ({ lambda, otherName }) => lambda.send(new InvokeCommand({ FunctionName: otherName })),
  'invoke its own function': ({ lambda, name }) => lambda.send(new InvokeCommand({ FunctionName: name })),
  'list functions': ({ lambda }) => lambda.send(new ListFunctionsCommand()),
  'change the code of its function': ({ lambda, name }) =>
    lambda.send(new UpdateFunctionCodeCommand({ FunctionName: name, ImageUri: 'x.dkr.ecr.x.amazonaws.com/x:1' })),
  "take on another's role": ({ sts, otherRoleArn }) =>
    sts.send(new AssumeRoleCommand({ RoleArn: otherRoleArn, RoleSessionName: 'x' })),
  'read its own role': ({ iam, name }) => iam.send(new GetRoleCommand({ RoleName: name })),
  'give its role more rights': ({ iam, name }) =>
    iam.send(
      new PutRolePolicyCommand({
        RoleName: name,
        PolicyName: 'more',
        PolicyDocument: JSON.stringify({
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }],
        }),
      }),
    ),
  'read the wanted image': ({ ssm }) => ssm.send(new GetParameterCommand({ Name: '/berth/wanted-image' })),
  // Last: after them there is nothing left to try the others on.
  "delete another's file": ({ s3, bucket, other }) => s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: other })),
  "delete another's file in a batch": async ({ s3, bucket, other }) => {
    const { Errors = [] } = await s3.send(
      new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: [{ Key: other }] } }),
    )
    if (Errors.length > 0) throw Object.assign(new Error(), { name: Errors[0]?.Code })
  },
}

describe('with the credentials of its own role, code in a berth', () => {
  let matrix: Matrix
  beforeAll(async () => {
    matrix = await openMatrix(true)
  })
  afterAll(() => matrix?.[Symbol.asyncDispose]())

  test.each(Object.entries(allowed))('%s', async (_, attempt) => {
    expect(await outcomeOf(attempt(matrix.role))).toBe('possible')
  })

  test.each(Object.entries(forbidden))('cannot %s', async (_, attempt) => {
    expect(await outcomeOf(attempt(matrix.role))).toMatch(/AccessDenied/)
  })

  test('has a role below the path of berths, and another has another', ({ expect }) => {
    expect(matrix.role.otherRoleArn).toContain(`:role${rolePathOf('berth')}${matrix.role.otherName}`)
  })
})

/** Attempts that lead nowhere for another reason too. */
const failsAnyway: Readonly<Record<string, string>> = {
  'change the code of its function': 'InvalidParameterValueException',
}

test('without enforcement the same attempts succeed, so the matrix does tell (control)', async () => {
  await using matrix = await openMatrix(false)
  const outcomes: Record<string, string> = {}
  for (const [what, attempt] of Object.entries(forbidden)) outcomes[what] = await outcomeOf(attempt(matrix.role))

  const closed = Object.entries(outcomes).filter(([, outcome]) => outcome !== 'possible')
  expect(Object.fromEntries(closed)).toEqual(failsAnyway)
})
