// @module-tag aws-local
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import {
  CreateAccessKeyCommand,
  CreatePolicyCommand,
  CreateUserCommand,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ImageContent } from '../../scripts/aws-local/images.ts'
import { type AwsSite, errorOf, onAndOff, openSite, TRUST_LAMBDA, uniqueName } from './aws-site.ts'

const BUCKET = 'tenants'
const BERTHS = ['user1', 'user10', 'bob'] as const

/** Reads or lists as the function's own role; answers what came or the code of the refusal. */
const READS_S3: ImageContent = {
  kind: 'handler',
  source: `
import botocore.exceptions, botocore.session
s3 = botocore.session.get_session().create_client("s3")
def handler(event, context):
    try:
        if event["operation"] == "list":
            return s3.list_objects_v2(Bucket=event["bucket"], Prefix=event["key"])["KeyCount"]
        return s3.get_object(Bucket=event["bucket"], Key=event["key"])["Body"].read().decode()
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
`,
}

let site: AwsSite
let lenient: AwsSite
beforeAll(async () => {
  ;[site, lenient] = await Promise.all([openSite(), openSite({ isEnforcing: false })])
  for (const each of [site, lenient]) await furnish(each)
})
afterAll(async () => {
  await Promise.all([site[Symbol.asyncDispose](), lenient[Symbol.asyncDispose]()])
})

const furnish = async ({ s3 }: AwsSite): Promise<void> => {
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }))
  for (const berth of BERTHS) {
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: `berths/${berth}/files/a`, Body: `of ${berth}` }))
  }
}

const object = (berth: string): string => `arn:aws:s3:::${BUCKET}/berths/${berth}/*`
const allow = (Action: string | string[], Resource: string | string[], Condition?: object) => ({
  Effect: 'Allow',
  Action,
  Resource,
  ...(Condition && { Condition }),
})
const document = (...Statement: object[]) => ({ Version: '2012-10-17', Statement })
const ownPrefix = (berth: string) =>
  document(
    allow('s3:GetObject', object(berth)),
    allow('s3:ListBucket', `arn:aws:s3:::${BUCKET}`, { StringLike: { 's3:prefix': `berths/${berth}/*` } }),
  )

/** A function of a stack whose role has this policy. */
const functionWith = async (at: AwsSite, policy: object, more: object = {}): Promise<string> => {
  const name = uniqueName()
  await at.create(name, {
    Role: {
      Type: 'AWS::IAM::Role',
      Properties: {
        RoleName: name,
        AssumeRolePolicyDocument: TRUST_LAMBDA,
        Policies: [{ PolicyName: 'own', PolicyDocument: policy }],
        ...more,
      },
    },
    Function: {
      Type: 'AWS::Lambda::Function',
      Properties: {
        FunctionName: name,
        PackageType: 'Image',
        Code: { ImageUri: await at.aws.image(name, READS_S3) },
        Role: { 'Fn::GetAtt': ['Role', 'Arn'] },
        Timeout: 60,
      },
    },
  })
  expect(await at.settled(name)).toBe('CREATE_COMPLETE')
  return name
}

const read = async (at: AwsSite, name: string, berth: string): Promise<string> =>
  (await at.invoke(name, { operation: 'get', bucket: BUCKET, key: `berths/${berth}/files/a` })).json
const list = async (at: AwsSite, name: string, berth: string): Promise<unknown> =>
  (await at.invoke(name, { operation: 'list', bucket: BUCKET, key: `berths/${berth}/` })).json

const readAll = async (at: AwsSite, name: string): Promise<string[]> => {
  const found: string[] = []
  for (const berth of BERTHS) found.push(await read(at, name, berth))
  return found
}

describe("a function's own role, from the template of its stack", () => {
  test('reads and lists its own prefix and no other, not even one that begins the same', async () => {
    const name = await functionWith(site, ownPrefix('user1'))

    expect(await readAll(site, name)).toEqual(['of user1', 'AccessDenied', 'AccessDenied'])
    expect([await list(site, name, 'user1'), await list(site, name, 'user10')]).toEqual([1, 'AccessDenied'])
  })

  test('reads every prefix where nothing is enforced, so that the test above can fail', async () => {
    const name = await functionWith(lenient, ownPrefix('user1'))

    expect(await readAll(lenient, name)).toEqual(['of user1', 'of user10', 'of bob'])
    expect([await list(lenient, name, 'user1'), await list(lenient, name, 'user10')]).toEqual([1, 1])
  })

  test('reaches no further than its permissions boundary', async () => {
    const { Policy } = await site.iam.send(
      new CreatePolicyCommand({ PolicyName: uniqueName(), PolicyDocument: JSON.stringify(ownPrefix('bob')) }),
    )
    const all = document(allow('s3:*', '*'))

    const [on, off] = await onAndOff(site, ['boundaries'], async () =>
      readAll(site, await functionWith(site, all, { PermissionsBoundary: Policy?.Arn })),
    )

    expect(on).toEqual(['AccessDenied', 'AccessDenied', 'of bob'])
    expect(off).toEqual(['of user1', 'of user10', 'of bob'])
  })

  test('is told by its tag where a policy says so, and without the tag reaches nothing', async () => {
    const byTag = document(allow('s3:GetObject', object('${aws:PrincipalTag/berth}')))
    const tagged = await functionWith(site, byTag, { Tags: [{ Key: 'berth', Value: 'user10' }] })
    const untagged = await functionWith(site, byTag)
    const wild = await functionWith(site, byTag, { Tags: [{ Key: 'berth', Value: '*' }] })

    const [on, off] = await onAndOff(site, ['policy-variables'], () => readAll(site, tagged))

    expect(on).toEqual(['AccessDenied', 'of user10', 'AccessDenied'])
    expect(off).toEqual(['AccessDenied', 'AccessDenied', 'AccessDenied'])
    expect(await readAll(site, untagged)).toEqual(['AccessDenied', 'AccessDenied', 'AccessDenied'])
    expect(await readAll(site, wild)).toEqual(['AccessDenied', 'AccessDenied', 'AccessDenied'])
  })

  test('is told by its tag in conditions too', async () => {
    const condition = { StringLike: { 's3:prefix': 'berths/${aws:PrincipalTag/berth}/*' } }
    const byTag = document(allow('s3:ListBucket', `arn:aws:s3:::${BUCKET}`, condition))
    const name = await functionWith(site, byTag, { Tags: [{ Key: 'berth', Value: 'user1' }] })

    expect([await list(site, name, 'user1'), await list(site, name, 'user10')]).toEqual([1, 'AccessDenied'])
  })

  test('is refused what an explicit Deny names', async () => {
    const policy = document(allow('s3:*', '*'), { ...allow('s3:GetObject', object('bob')), Effect: 'Deny' })

    expect(await readAll(site, await functionWith(site, policy))).toEqual(['of user1', 'of user10', 'AccessDenied'])
  })
})

/** Reads as a user who may, with the right secret and with a wrong one. */
const asUser = async ({ aws, iam }: AwsSite): Promise<string[]> => {
  const UserName = uniqueName()
  const PolicyDocument = JSON.stringify(document(allow('s3:GetObject', object('bob'))))
  await iam.send(new CreateUserCommand({ UserName }))
  await iam.send(new PutUserPolicyCommand({ UserName, PolicyName: 'p', PolicyDocument }))
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }))
  const outcomes: string[] = []
  for (const secretAccessKey of [AccessKey?.SecretAccessKey ?? '', 'wrong']) {
    const s3 = new S3Client({
      ...aws.client,
      credentials: { accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey },
    })
    outcomes.push(await errorOf(s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: 'berths/bob/files/a' }))))
    s3.destroy()
  }
  return outcomes
}

test('who has a wrong secret is refused, and where nothing is enforced is not', async () => {
  expect(await asUser(site)).toEqual(['none', 'SignatureDoesNotMatch'])
  expect(await asUser(lenient)).toEqual(['none', 'none'])
})
