import { logGroupOf, nameOf, prefixOf } from '../../src/backends/lambda/names.ts'
import type { BerthId } from '../../src/domain/ids.ts'
import { ACCOUNT } from './resolve-template.ts'
import { arn } from './cell.ts'
import type { Request } from './simulate.ts'

export const BOUNDARY = arn.policy('berth/berth-foundation-boundary')
export const STACK_ROLE = arn.role('berth/berth-foundation-stackrole')
export const REPOSITORY = arn.repository('berth-foundation-repository')
/** A deployment whose name begins like that of ours. */
export const NEIGHBOUR = 'berth-b'

const withBoundary = { 'iam:PermissionsBoundary': BOUNDARY }
const roleOfBerth = (id: BerthId, deployment = 'berth'): string =>
  arn.role(`${deployment}/berths/${nameOf(deployment, id)}`)

const all = (actions: readonly string[], resource: string, context?: Request['context']): readonly Request[] =>
  actions.map((action) => ({ label: action, action, resource, ...(context ? { context } : {}) }))
const one = (label: string, action: string, resource: string, context?: Request['context']): Request => ({
  label,
  action,
  resource,
  ...(context ? { context } : {}),
})

/** What no role of Berth may do, whatever its work: each a way to more rights or to another deployment. */
export const escalationsOf = (id: BerthId): readonly Request[] => [
  one('make a role without the boundary', 'iam:CreateRole', roleOfBerth(id)),
  one('make a role with another boundary', 'iam:CreateRole', roleOfBerth(id), {
    'iam:PermissionsBoundary': 'arn:aws:iam::aws:policy/AdministratorAccess',
  }),
  one('make a role outside the path', 'iam:CreateRole', arn.role(nameOf('berth', id)), withBoundary),
  one('make a role of the foundation', 'iam:CreateRole', arn.role('berth/admin'), withBoundary),
  one('make a user', 'iam:CreateUser', `arn:aws:iam::${ACCOUNT}:user/x`),
  one('make an access key', 'iam:CreateAccessKey', `arn:aws:iam::${ACCOUNT}:user/x`),
  one('widen a role without the boundary', 'iam:PutRolePolicy', roleOfBerth(id)),
  one('widen the role of the server', 'iam:PutRolePolicy', arn.role('berth/berth-foundation-serverrole'), withBoundary),
  one('widen the role of stacks', 'iam:PutRolePolicy', STACK_ROLE, withBoundary),
  one('widen the role of rollouts', 'iam:PutRolePolicy', arn.role('berth/berth-foundation-rolloutrole')),
  one('change who is the server', 'iam:UpdateAssumeRolePolicy', arn.role('berth/berth-foundation-serverrole')),
  one('attach a policy to a berth’s role', 'iam:AttachRolePolicy', roleOfBerth(id), {
    ...withBoundary,
    'iam:PolicyARN': 'arn:aws:iam::aws:policy/AdministratorAccess',
  }),
  one('drop a boundary', 'iam:DeleteRolePermissionsBoundary', roleOfBerth(id), withBoundary),
  one('put another boundary', 'iam:PutRolePermissionsBoundary', roleOfBerth(id), {
    'iam:PermissionsBoundary': 'arn:aws:iam::aws:policy/AdministratorAccess',
  }),
  one('delete the boundary', 'iam:DeletePolicy', BOUNDARY),
  one('rewrite the boundary', 'iam:CreatePolicyVersion', BOUNDARY),
  one('put an old boundary back', 'iam:SetDefaultPolicyVersion', BOUNDARY),
  one('tag a role with a star', 'iam:TagRole', roleOfBerth(id), { 'aws:RequestTag/berth': 'b*' }),
  one('tag a role with question marks', 'iam:TagRole', roleOfBerth(id), { 'aws:RequestTag/berth': 'b???????????????' }),
  one('untag a role', 'iam:UntagRole', roleOfBerth(id), { 'aws:TagKeys': ['berth'] }),
  one('pass a berth’s role to EC2', 'iam:PassRole', roleOfBerth(id), { 'iam:PassedToService': 'ec2.amazonaws.com' }),
  one('pass the server’s role to Lambda', 'iam:PassRole', arn.role('berth/berth-foundation-serverrole'), {
    'iam:PassedToService': 'lambda.amazonaws.com',
  }),
  one('pass the role of stacks to Lambda', 'iam:PassRole', STACK_ROLE, {
    'iam:PassedToService': 'lambda.amazonaws.com',
  }),
  one('pass any role to CloudFormation', 'iam:PassRole', arn.role('admin'), {
    'iam:PassedToService': 'cloudformation.amazonaws.com',
  }),
  one('assume any role', 'sts:AssumeRole', arn.role('admin')),
  one('assume a berth’s role', 'sts:AssumeRole', roleOfBerth(id)),
  one('let others invoke a function', 'lambda:AddPermission', arn.function(nameOf('berth', id))),
  one('give a function an address', 'lambda:CreateFunctionUrlConfig', arn.function(nameOf('berth', id))),
  one('change the foundation', 'cloudformation:UpdateStack', arn.stack('berth-foundation'), {
    'cloudformation:RoleArn': STACK_ROLE,
  }),
  one('delete the foundation', 'cloudformation:DeleteStack', arn.stack('berth-foundation')),
  one('change the bucket’s policy', 's3:PutBucketPolicy', arn.bucket()),
  one('change the bucket’s lifecycle', 's3:PutLifecycleConfiguration', arn.bucket()),
  one('delete the bucket', 's3:DeleteBucket', arn.bucket()),
  one('delete an image', 'ecr:BatchDeleteImage', REPOSITORY),
  one('change the images’ lifecycle', 'ecr:PutLifecyclePolicy', REPOSITORY),
  one('let tags move', 'ecr:PutImageTagMutability', REPOSITORY),
  one('let others pull images', 'ecr:SetRepositoryPolicy', REPOSITORY),
  one('read a log of a berth', 'logs:GetLogEvents', arn.logStream(logGroupOf('berth', id))),
  one(
    'read secrets',
    'secretsmanager:GetSecretValue',
    `arn:aws:secretsmanager:eu-central-1:${ACCOUNT}:secret:x-aaaaaa`,
  ),
  ...neighbours(id),
]

const neighbours = (id: BerthId): readonly Request[] => {
  const theirs = nameOf(NEIGHBOUR, id)
  return [
    one('neighbour: invoke', 'lambda:InvokeFunction', arn.function(theirs)),
    one('neighbour: read a function', 'lambda:GetFunction', arn.function(theirs)),
    one('neighbour: update a function', 'lambda:UpdateFunctionCode', arn.function(theirs)),
    one('neighbour: make a function', 'lambda:CreateFunction', arn.function(theirs)),
    one('neighbour: suspend', 'iam:PutRolePolicy', roleOfBerth(id, NEIGHBOUR), withBoundary),
    one('neighbour: make a role', 'iam:CreateRole', roleOfBerth(id, NEIGHBOUR), withBoundary),
    one('neighbour: read a stack', 'cloudformation:DescribeStacks', arn.stack(theirs)),
    one('neighbour: read the foundation', 'cloudformation:DescribeStacks', arn.stack(`${NEIGHBOUR}-foundation`)),
    one('neighbour: delete a stack', 'cloudformation:DeleteStack', arn.stack(theirs)),
    one('neighbour: read a file', 's3:GetObject', arn.object(`${prefixOf(id)}files/a`, NEIGHBOUR)),
    one('neighbour: list files', 's3:ListBucket', arn.bucket(NEIGHBOUR), { 's3:prefix': prefixOf(id) }),
    one('neighbour: read the wanted image', 'ssm:GetParameter', arn.parameter(`/${NEIGHBOUR}/wanted-image`)),
    one('neighbour: read the wanted image before', 'ssm:GetParameter', arn.parameter(`/${NEIGHBOUR}/wanted-image:41`)),
    one('neighbour: set the wanted image', 'ssm:PutParameter', arn.parameter(`/${NEIGHBOUR}/wanted-image`)),
    one('neighbour: delete a log', 'logs:DeleteLogGroup', arn.logGroup(logGroupOf(NEIGHBOUR, id))),
    one('neighbour: push an image', 'ecr:PutImage', arn.repository(`${NEIGHBOUR}-foundation-repository`)),
  ]
}

/** What CloudFormation must be able to do with the stack of a berth. */
export const stackWorkOf = (id: BerthId): readonly Request[] => [
  ...all(
    [
      'CreateFunction',
      'GetFunction',
      'UpdateFunctionCode',
      'UpdateFunctionConfiguration',
      'DeleteFunction',
      'TagResource',
    ].map((action) => `lambda:${action}`),
    arn.function(nameOf('berth', id)),
  ),
  ...all(['lambda:PutFunctionConcurrency', 'lambda:DeleteFunctionConcurrency'], arn.function(nameOf('berth', id))),
  one('iam:CreateRole', 'iam:CreateRole', roleOfBerth(id), { ...withBoundary, 'aws:RequestTag/berth': id }),
  ...all(
    ['iam:PutRolePolicy', 'iam:DeleteRolePolicy', 'iam:UpdateAssumeRolePolicy', 'iam:DeleteRole'],
    roleOfBerth(id),
    withBoundary,
  ),
  ...all(['iam:GetRole', 'iam:GetRolePolicy', 'iam:ListRolePolicies', 'iam:ListAttachedRolePolicies'], roleOfBerth(id)),
  one('iam:TagRole', 'iam:TagRole', roleOfBerth(id), { 'aws:RequestTag/berth': id }),
  one('iam:PassRole', 'iam:PassRole', roleOfBerth(id), { 'iam:PassedToService': 'lambda.amazonaws.com' }),
  ...all(
    ['logs:CreateLogGroup', 'logs:PutRetentionPolicy', 'logs:TagResource', 'logs:DeleteLogGroup'],
    arn.logGroup(logGroupOf('berth', id)),
  ),
  ...all(['logs:DescribeLogGroups'], '*'),
  ...all(['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'], REPOSITORY),
]

/** What the server does in a cell. */
export const serverWorkOf = (id: BerthId): readonly Request[] => [
  one('cloudformation:CreateStack', 'cloudformation:CreateStack', arn.stack(nameOf('berth', id)), {
    'cloudformation:RoleArn': STACK_ROLE,
  }),
  ...all(
    ['UpdateStack', 'DeleteStack', 'DescribeStacks', 'DescribeStackEvents'].map((action) => `cloudformation:${action}`),
    arn.stack(nameOf('berth', id)),
  ),
  ...all(['cloudformation:DescribeStacks'], arn.stack('berth-foundation')),
  ...all(
    ['cloudformation:ListStacks', 'lambda:ListFunctions', 'lambda:GetAccountSettings', 'iam:GetAccountSummary'],
    '*',
  ),
  one('iam:PassRole', 'iam:PassRole', STACK_ROLE, { 'iam:PassedToService': 'cloudformation.amazonaws.com' }),
  ...all(
    ['InvokeFunction', 'GetFunction', 'UpdateFunctionCode', 'PutFunctionConcurrency', 'DeleteFunctionConcurrency'].map(
      (action) => `lambda:${action}`,
    ),
    arn.function(nameOf('berth', id)),
  ),
  ...all(
    ['iam:PutRolePolicy', 'iam:DeleteRolePolicy', 'iam:DetachRolePolicy', 'iam:DeleteRole'],
    roleOfBerth(id),
    withBoundary,
  ),
  ...all(['ssm:GetParameter'], arn.parameter('/berth/wanted-image')),
  ...all(['ssm:GetParameter'], arn.parameter('/berth/wanted-image:41')),
  ...all(
    ['s3:GetObject', 's3:PutObject', 's3:DeleteObject', 's3:DeleteObjectVersion'],
    arn.object(`${prefixOf(id)}files/a`),
  ),
  ...all(['s3:ListBucket', 's3:ListBucketVersions'], arn.bucket(), { 's3:prefix': prefixOf(id) }),
  ...all(['logs:DeleteLogGroup'], arn.logGroup(logGroupOf('berth', id))),
  ...all(['servicequotas:GetServiceQuota'], `arn:aws:servicequotas:us-east-1:${ACCOUNT}:iam/L-FE177D64`),
]

/** What the server leaves to others. */
export const notTheServers = (id: BerthId): readonly Request[] => [
  one('make a stack without the stack role', 'cloudformation:CreateStack', arn.stack(nameOf('berth', id))),
  one('make a stack with another role', 'cloudformation:CreateStack', arn.stack(nameOf('berth', id)), {
    'cloudformation:RoleArn': arn.role('admin'),
  }),
  one('change a stack with another role', 'cloudformation:UpdateStack', arn.stack(nameOf('berth', id)), {
    'cloudformation:RoleArn': arn.role('admin'),
  }),
  one('make a function by itself', 'lambda:CreateFunction', arn.function(nameOf('berth', id))),
  one('make a role by itself', 'iam:CreateRole', roleOfBerth(id), withBoundary),
  one('delete a role that is no berth’s', 'iam:DeleteRole', roleOfBerth(id)),
  one('pass a berth’s role', 'iam:PassRole', roleOfBerth(id), { 'iam:PassedToService': 'lambda.amazonaws.com' }),
  one('retag a role', 'iam:TagRole', roleOfBerth(id), { 'aws:RequestTag/berth': 'baaaaaaaaaaaaaaa' }),
  one('set the wanted image', 'ssm:PutParameter', arn.parameter('/berth/wanted-image')),
  one('push an image', 'ecr:PutImage', REPOSITORY),
  one('read beside the berths', 's3:GetObject', arn.object('elsewhere')),
  one('list the whole bucket', 's3:ListBucket', arn.bucket()),
]

export const rolloutWorkOf = (id: BerthId): readonly Request[] => [
  ...all(
    ['lambda:GetFunction', 'lambda:InvokeFunction', 'lambda:UpdateFunctionCode'],
    arn.function(nameOf('berth', id)),
  ),
  ...all(['lambda:ListFunctions'], '*'),
  ...all(['ssm:GetParameter', 'ssm:PutParameter'], arn.parameter('/berth/wanted-image')),
  ...all(['ssm:GetParameter'], arn.parameter('/berth/wanted-image:41')),
  ...all(['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer', 'ecr:DescribeImages'], REPOSITORY),
  ...all(['cloudformation:DescribeStacks'], arn.stack('berth-foundation')),
  one('list marks', 's3:ListBucket', arn.bucket(), { 's3:prefix': 'shared/' }),
  ...all(
    ['s3:PutObject', 's3:DeleteObject', 's3:DeleteObjectVersion'],
    arn.object(`${prefixOf(id)}files/berth-self-test-0123456789abcdef.txt`),
  ),
]

export const pushWork: readonly Request[] = [
  ...all(['ecr:GetAuthorizationToken'], '*'),
  ...all(
    ['BatchCheckLayerAvailability', 'InitiateLayerUpload', 'UploadLayerPart', 'CompleteLayerUpload', 'PutImage'].map(
      (action) => `ecr:${action}`,
    ),
    REPOSITORY,
  ),
]

/** What a rollout has no business with: files, stacks, roles, and settings of functions other than the image. */
export const notARollouts = (id: BerthId): readonly Request[] => [
  one('read a file', 's3:GetObject', arn.object(`${prefixOf(id)}files/a`)),
  one('write a file', 's3:PutObject', arn.object(`${prefixOf(id)}files/a`)),
  one('list files', 's3:ListBucket', arn.bucket(), { 's3:prefix': prefixOf(id) }),
  one('list all', 's3:ListBucket', arn.bucket(), { 's3:prefix': '' }),
  one('read whose a berth is', 's3:GetObject', arn.object(`shared/${id}`)),
  one('make a stack', 'cloudformation:CreateStack', arn.stack(nameOf('berth', id)), {
    'cloudformation:RoleArn': STACK_ROLE,
  }),
  one('delete a stack', 'cloudformation:DeleteStack', arn.stack(nameOf('berth', id))),
  one('make a function', 'lambda:CreateFunction', arn.function(nameOf('berth', id))),
  one('delete a function', 'lambda:DeleteFunction', arn.function(nameOf('berth', id))),
  one('change a function’s role', 'lambda:UpdateFunctionConfiguration', arn.function(nameOf('berth', id))),
  one('suspend', 'iam:PutRolePolicy', roleOfBerth(id), withBoundary),
  one('pass the stack role', 'iam:PassRole', STACK_ROLE, { 'iam:PassedToService': 'cloudformation.amazonaws.com' }),
  one('pass a berth’s role', 'iam:PassRole', roleOfBerth(id), { 'iam:PassedToService': 'lambda.amazonaws.com' }),
]
