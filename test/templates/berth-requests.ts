import { logGroupOf, nameOf, ownerKeyOf, prefixOf } from '../../src/backends/lambda/names.ts'
import type { BerthId } from '../../src/domain/ids.ts'
import { arn } from './cell.ts'
import type { Request } from './simulate.ts'

const request = (
  label: string,
  action: string,
  resource: string,
  context?: Readonly<Record<string, string | readonly string[]>>,
): Request => ({ label, action, resource, ...(context ? { context } : {}) })

const list = (label: string, prefix: string | null): Request =>
  request(label, 's3:ListBucket', arn.bucket(), prefix === null ? undefined : { 's3:prefix': prefix })

/** All that the code in a berth may do. */
export const rightsOf = (id: BerthId): readonly Request[] => {
  const own = prefixOf(id)
  return [
    request('read an own file', 's3:GetObject', arn.object(`${own}files/sales.csv`)),
    request('write an artifact of an own run', 's3:PutObject', arn.object(`${own}runs/r1/a/plot.png`)),
    request('abort an own upload', 's3:AbortMultipartUpload', arn.object(`${own}runs/r1/big`)),
    request('mark an own artifact for expiry', 's3:PutObjectTagging', arn.object(`${own}runs/r1/big`), {
      's3:RequestObjectTag/berth-area': 'run',
      's3:RequestObjectTagKeys': ['berth-area'],
    }),
    list('list the own prefix', own),
    list('list the own files', `${own}files/`),
    request('open an own log stream', 'logs:CreateLogStream', arn.logStream(logGroupOf('berth', id))),
    request('write to the own log', 'logs:PutLogEvents', arn.logStream(logGroupOf('berth', id))),
  ]
}

/** What would reach another berth. */
export const reachesFor = (id: BerthId, other: BerthId): readonly Request[] => {
  const foreign = prefixOf(other)
  const role = arn.role(`berth/berths/${nameOf('berth', other)}`)
  const log = logGroupOf('berth', other)
  return [
    request('read a foreign file', 's3:GetObject', arn.object(`${foreign}files/sales.csv`)),
    request('read a foreign run', 's3:GetObject', arn.object(`${foreign}runs/r1/plot.png`)),
    request('write a foreign file', 's3:PutObject', arn.object(`${foreign}files/sales.csv`)),
    request('write into a foreign run', 's3:PutObject', arn.object(`${foreign}runs/r1/plot.png`)),
    request('copy from a foreign file', 's3:GetObject', arn.object(`${foreign}files/copy-source`)),
    request('copy into a foreign run', 's3:PutObject', arn.object(`${foreign}runs/r1/copy`), {
      's3:x-amz-copy-source': `berth-foundation-bucket/${prefixOf(id)}files/a`,
    }),
    request('abort a foreign upload', 's3:AbortMultipartUpload', arn.object(`${foreign}runs/r1/big`)),
    request('see parts of a foreign upload', 's3:ListMultipartUploadParts', arn.object(`${foreign}runs/r1/big`)),
    request('read a foreign version', 's3:GetObjectVersion', arn.object(`${foreign}files/sales.csv`)),
    request('delete a foreign file', 's3:DeleteObject', arn.object(`${foreign}files/sales.csv`)),
    request('delete a foreign version', 's3:DeleteObjectVersion', arn.object(`${foreign}files/sales.csv`)),
    request('read an object whose prefix starts the same', 's3:GetObject', arn.object(`berths/${id}x/files/a`)),
    request('write to a prefix that starts the same', 's3:PutObject', arn.object(`berths/${id}x/runs/r1/a`)),
    request('read beside the files', 's3:GetObject', arn.object(`berths/${id}/filesystem/a`)),
    list('list a foreign prefix', foreign),
    list('list foreign files', `${foreign}files/`),
    list('list a prefix that starts the same', `berths/${id}x/`),
    list('list what the own id begins', `berths/${id}`),
    list('list all berths', 'berths/'),
    list('list with a star for a prefix', 'berths/*'),
    list('list with an empty prefix', ''),
    list('list with no prefix', null),
    request('invoke a foreign function', 'lambda:InvokeFunction', arn.function(nameOf('berth', other))),
    request('read a foreign function', 'lambda:GetFunction', arn.function(nameOf('berth', other))),
    request('assume a foreign role', 'sts:AssumeRole', role),
    request('write a foreign log', 'logs:PutLogEvents', arn.logStream(log)),
    request('open a foreign log stream', 'logs:CreateLogStream', arn.logStream(log)),
    request('read a foreign log', 'logs:GetLogEvents', arn.logStream(log)),
    request('search a foreign log', 'logs:FilterLogEvents', arn.logGroup(log)),
  ]
}

/** What is no other berth's but no business of the code either. */
export const excessesOf = (id: BerthId): readonly Request[] => {
  const own = prefixOf(id)
  const role = arn.role(`berth/berths/${nameOf('berth', id)}`)
  const log = logGroupOf('berth', id)
  return [
    request('write an own file', 's3:PutObject', arn.object(`${own}files/sales.csv`)),
    request('read an own run', 's3:GetObject', arn.object(`${own}runs/r1/plot.png`)),
    request('write beside the runs', 's3:PutObject', arn.object(`${own}a`)),
    request('read whose the berth is', 's3:GetObject', arn.object(ownerKeyOf(id))),
    request('say whose the berth is', 's3:PutObject', arn.object(ownerKeyOf(id))),
    request('delete an own file', 's3:DeleteObject', arn.object(`${own}files/sales.csv`)),
    request('delete an own artifact', 's3:DeleteObject', arn.object(`${own}runs/r1/plot.png`)),
    request('read an own version', 's3:GetObjectVersion', arn.object(`${own}files/sales.csv`)),
    request('delete an own version', 's3:DeleteObjectVersion', arn.object(`${own}files/sales.csv`)),
    request('list own versions', 's3:ListBucketVersions', arn.bucket(), { 's3:prefix': own }),
    request('list unfinished uploads', 's3:ListBucketMultipartUploads', arn.bucket()),
    request('tag an own file', 's3:PutObjectTagging', arn.object(`${own}files/sales.csv`), {
      's3:RequestObjectTag/berth-area': 'run',
      's3:RequestObjectTagKeys': ['berth-area'],
    }),
    request('tag an own artifact with another tag', 's3:PutObjectTagging', arn.object(`${own}runs/r1/big`), {
      's3:RequestObjectTag/keep': 'run',
      's3:RequestObjectTagKeys': ['keep'],
    }),
    request('open an own object to others', 's3:PutObjectAcl', arn.object(`${own}runs/r1/plot.png`)),
    request('change the bucket', 's3:PutBucketPolicy', arn.bucket()),
    request('read another bucket', 's3:GetObject', 'arn:aws:s3:::elsewhere/berths/a'),
    request('invoke the own function', 'lambda:InvokeFunction', arn.function(nameOf('berth', id))),
    request('change the own function', 'lambda:UpdateFunctionCode', arn.function(nameOf('berth', id))),
    request('assume the own role', 'sts:AssumeRole', role),
    request('assume the role of the server', 'sts:AssumeRole', arn.role('berth/berth-foundation-serverrole')),
    request('read the own role', 'iam:GetRole', role),
    request('widen the own role', 'iam:PutRolePolicy', role),
    request('attach a policy to the own role', 'iam:AttachRolePolicy', role),
    request('drop the own boundary', 'iam:DeleteRolePermissionsBoundary', role),
    request('retag the own role', 'iam:TagRole', role, { 'aws:RequestTag/berth': 'baaaaaaaaaaaaaaa' }),
    request('make a role', 'iam:CreateRole', arn.role('berth/berths/new')),
    request('pass the own role', 'iam:PassRole', role, { 'iam:PassedToService': 'ec2.amazonaws.com' }),
    request('read the own log', 'logs:GetLogEvents', arn.logStream(log)),
    request('delete the own log', 'logs:DeleteLogGroup', arn.logGroup(log)),
    request('make a log group', 'logs:CreateLogGroup', arn.logGroup(log)),
    request('read the wanted image', 'ssm:GetParameter', arn.parameter('/berth/wanted-image')),
    request('set the wanted image', 'ssm:PutParameter', arn.parameter('/berth/wanted-image')),
    request('pull the image', 'ecr:BatchGetImage', arn.repository('berth-foundation-repository')),
    request('read the foundation', 'cloudformation:DescribeStacks', arn.stack('berth-foundation')),
    request('look at the network', 'ec2:DescribeNetworkInterfaces', '*'),
    request('make a network interface', 'ec2:CreateNetworkInterface', arn.networkInterface('*')),
  ]
}
