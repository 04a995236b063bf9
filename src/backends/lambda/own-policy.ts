import type { Cell } from '../../aws/cell.ts'
import type { BerthId } from '../../domain/ids.ts'
import { logGroupOf, prefixOf } from './names.ts'

/** Name of the policy in `templates/tenant.yaml`, and of the one that functions in a VPC have besides. */
export const OWN_POLICY = 'own-prefix-and-log-group'
export const NETWORK_POLICY = 'network-interfaces'

/** What `templates/tenant.yaml` gives a berth's role; a test holds both together. */
export const ownPolicy = (
  {
    region,
    deployment,
    foundation,
  }: Pick<Cell, 'region' | 'deployment'> & {
    readonly foundation: Pick<Cell['foundation'], 'bucket' | 'boundaryArn'>
  },
  berthId: BerthId,
): unknown => {
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

const allow = (Sid: string, Action: string | readonly string[], Resource: string) => ({
  Sid,
  Effect: 'Allow',
  Action,
  Resource,
})
