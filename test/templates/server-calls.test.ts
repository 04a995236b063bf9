import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { foundationOf } from './cell.ts'
import { listed, policiesOf } from './policies.ts'

const root = new URL('../../', import.meta.url).pathname
/** What runs in the server; `berth init` and `berth destroy` work with the operator's own rights. */
const sources = globSync('src/{aws,backends}/**/*.ts', { cwd: root })

const prefixes: Readonly<Record<string, string>> = { 'cloudwatch-logs': 'logs', 'service-quotas': 'servicequotas' }

/** Calls whose action has another name than they have. */
const renamed: Readonly<Record<string, string>> = {
  'lambda:Invoke': 'lambda:InvokeFunction',
  's3:HeadObject': 's3:GetObject',
  's3:CreateMultipartUpload': 's3:PutObject',
  's3:UploadPart': 's3:PutObject',
  's3:CompleteMultipartUpload': 's3:PutObject',
  's3:DeleteObjects': 's3:DeleteObject',
  's3:ListObjectsV2': 's3:ListBucket',
  's3:ListObjectVersions': 's3:ListBucketVersions',
  's3:ListMultipartUploads': 's3:ListBucketMultipartUploads',
}

/** Calls that the server's code holds but another role makes. */
const ofOthers: Readonly<Record<string, string>> = {
  'ssm:PutParameter': 'A rollout names the wanted image; the server only reads it.',
}

/** Actions that no call is named after. */
const implied: Readonly<Record<string, string>> = {
  'cloudformation:TagResource': 'CreateStack and UpdateStack with tags.',
  'ecr:BatchGetImage': 'Lambda asks for it of whoever updates a function to an image.',
  'ecr:GetDownloadUrlForLayer': 'As BatchGetImage.',
  'iam:PassRole': 'CreateStack with RoleARN.',
  'lambda:ListTags': 'GetFunction leaves the tags out without it.',
  's3:DeleteObjectVersion': 'DeleteObject and DeleteObjects with a version.',
  'servicequotas:GetServiceQuota': 'For the doctor, which reads with the rights of the server.',
}

const actionsIn = (text: string): readonly string[] =>
  [...text.matchAll(/import \{([^}]*)\} from '@aws-sdk\/client-([a-z0-9-]+)'/g)].flatMap(
    ([, names = '', client = '']) =>
      [...names.matchAll(/\b(\w+)Command\b(?!\w)/g)].map(([, name = '']) => {
        const call = `${prefixes[client] ?? client}:${name}`
        return renamed[call] ?? call
      }),
  )

const called = new Set(sources.flatMap((file) => actionsIn(readFileSync(join(root, file), 'utf8'))))
const allowed = new Set(
  policiesOf(foundationOf(), 'ServerRole')
    .flatMap(({ policy }) => policy.Statement)
    .filter((statement) => statement.Effect === 'Allow')
    .flatMap((statement) => listed(statement.Action)),
)

test('the server’s role allows every call that the server’s code makes', () => {
  const missing = [...called].filter((action) => !allowed.has(action) && !(action in ofOthers))

  expect(called.size).toBeGreaterThan(20)
  expect(missing, 'add them to ServerRole in templates/foundation.yaml').toEqual([])
})

test('the server’s role allows nothing that the server’s code does not do', () => {
  const idle = [...allowed].filter((action) => !called.has(action) && !(action in implied))

  expect(idle, 'take them out of ServerRole in templates/foundation.yaml').toEqual([])
})

test('control: a call that nobody allowed is seen', () => {
  expect(actionsIn("import { type S3Client, PutBucketPolicyCommand } from '@aws-sdk/client-s3'")).toEqual([
    's3:PutBucketPolicy',
  ])
})
