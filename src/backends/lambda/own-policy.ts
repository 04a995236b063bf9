import type { Cell } from '../../aws/cell.ts'
import type { BerthId } from '../../domain/ids.ts'
import { logGroupOf, nameOf, prefixOf, rolePathOf } from './names.ts'

/** Name of the policy in `templates/tenant.yaml`, and of the one that functions in a VPC have besides. */
export const OWN_POLICY = 'own-prefix-and-log-group'
export const NETWORK_POLICY = 'network-interfaces'

type Where = Pick<Cell, 'region' | 'deployment'> & {
  readonly foundation: Pick<Cell['foundation'], 'bucket' | 'boundaryArn'>
}

/** What `templates/tenant.yaml` gives a berth's role; a test holds both together. */
export const ownPolicy = ({ region, deployment, foundation }: Where, berthId: BerthId): unknown => {
  const [, partition = 'aws', , , account = ''] = foundation.boundaryArn.split(':')
  const bucket = `arn:${partition}:s3:::${foundation.bucket}`
  const own = `${bucket}/${prefixOf(berthId)}`
  return {
    Version: '2012-10-17',
    Statement: [
      allow('ReadOwnFiles', 's3:GetObject', `${own}files/*`),
      allow('WriteOwnRuns', ['s3:PutObject', 's3:AbortMultipartUpload'], `${own}runs/*`),
      {
        ...allow('MarkOwnRunsForExpiry', 's3:PutObjectTagging', `${own}runs/*`),
        Condition: {
          StringEquals: { 's3:RequestObjectTag/berth-area': 'run' },
          'ForAllValues:StringEquals': { 's3:RequestObjectTagKeys': ['berth-area'] },
        },
      },
      {
        ...allow('ListOwnPrefix', 's3:ListBucket', bucket),
        Condition: { StringLike: { 's3:prefix': `${prefixOf(berthId)}*` } },
      },
      allow(
        'WriteOwnLog',
        ['logs:CreateLogStream', 'logs:PutLogEvents'],
        `arn:${partition}:logs:${region}:${account}:log-group:${logGroupOf(deployment, berthId)}:*`,
      ),
    ],
  }
}

/** The role that a berth's function acts as, as `templates/tenant.yaml` names it. */
export const ownRoleArn = ({ deployment, foundation }: Where, berthId: BerthId): string => {
  const [, partition = 'aws', , , account = ''] = foundation.boundaryArn.split(':')
  return `arn:${partition}:iam::${account}:role${rolePathOf(deployment)}${nameOf(deployment, berthId)}`
}

/** Who may act as a berth's role, as `templates/tenant.yaml` has it. */
export const ownTrust = ({ region, deployment, foundation }: Where, berthId: BerthId): unknown => {
  const [, partition = 'aws', , , account = ''] = foundation.boundaryArn.split(':')
  const source = `arn:${partition}:lambda:${region}:${account}:function:${nameOf(deployment, berthId)}*`
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Service: 'lambda.amazonaws.com' },
        Action: 'sts:AssumeRole',
        Condition: {
          StringEqualsIfExists: { 'aws:SourceAccount': account },
          ArnLikeIfExists: { 'aws:SourceArn': source },
        },
      },
    ],
  }
}

const allow = (Sid: string, Action: string | readonly string[], Resource: string) => ({
  Sid,
  Effect: 'Allow',
  Action,
  Resource,
})
