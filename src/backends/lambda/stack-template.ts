import { readFileSync } from 'node:fs'
import type { Parameter, Tag } from '@aws-sdk/client-cloudformation'
import type { Cell } from '../../aws/cell.ts'
import type { BerthId } from '../../domain/ids.ts'
import { BERTH_TAG, DEPLOYMENT_TAG } from './names.ts'

let body: string | undefined

/** `templates/tenant.yaml`, read once. It lies beside `src/` and beside `dist/`. */
export const tenantTemplate = (): string => {
  body ??= readFileSync(new URL('../../../templates/tenant.yaml', import.meta.url), 'utf8')
  return body
}

export const tenantParameters = (
  { deployment, foundation, functions }: Pick<Cell, 'deployment' | 'foundation' | 'functions'>,
  berthId: BerthId,
  imageUri: string,
): Parameter[] => {
  const values = {
    Deployment: deployment,
    BerthId: berthId,
    ImageUri: imageUri,
    MemoryMiB: functions.memoryMiB,
    TimeoutSeconds: functions.timeoutSeconds,
    EphemeralStorageMiB: functions.ephemeralStorageMiB,
    LogRetentionDays: functions.logRetentionDays,
    ReservedConcurrency: functions.reservedConcurrency ?? -1,
    Architecture: functions.architecture,
    Bucket: foundation.bucket,
    BoundaryArn: foundation.boundaryArn,
    SubnetIds: foundation.subnetIds.join(','),
    SecurityGroupIds: foundation.securityGroupIds.join(','),
  }
  return Object.entries(values).map(([ParameterKey, value]) => ({ ParameterKey, ParameterValue: String(value) }))
}

export const berthTags = (deployment: string, berthId: BerthId): Tag[] => [
  { Key: BERTH_TAG, Value: berthId },
  { Key: DEPLOYMENT_TAG, Value: deployment },
]
