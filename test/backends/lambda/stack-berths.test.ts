// @module-tag aws-local
import {
  CreateChangeSetCommand,
  DescribeStacksCommand,
  waitUntilChangeSetCreateComplete,
} from '@aws-sdk/client-cloudformation'
import {
  CreateLogGroupCommand,
  DeleteLogGroupCommand,
  DescribeLogGroupsCommand,
  PutRetentionPolicyCommand,
} from '@aws-sdk/client-cloudwatch-logs'
import {
  DeleteRolePermissionsBoundaryCommand,
  GetRolePolicyCommand,
  ListRolePoliciesCommand,
  PutRolePolicyCommand,
  UntagRoleCommand,
  UpdateAssumeRolePolicyCommand,
} from '@aws-sdk/client-iam'
import {
  GetFunctionCommand,
  PutFunctionConcurrencyCommand,
  TagResourceCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda'
import { CreateMultipartUploadCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { filesPrefixOf, logGroupOf, nameOf, runsPrefixOf } from '../../../src/backends/lambda/names.ts'
import { REVOKED_POLICY, SUSPENDED_POLICY } from '../../../src/backends/lambda/role-policies.ts'
import { tenantParameters, tenantTemplate } from '../../../src/backends/lambda/stack-template.ts'
import { createStackBerths, type StackBerths } from '../../../src/backends/lambda/stack-berths.ts'
import { isBerthError } from '../../../src/domain/errors.ts'
import type { BerthId } from '../../../src/domain/ids.ts'
import { createRandomIds } from '../../../src/main/random-ids.ts'
import { createSystemClock } from '../../../src/main/system-clock.ts'
import { codeOf, collect, quiet } from '../../contract/content.ts'
import { type AwsCell, openAwsCell, quickPoll } from '../../support/aws-cell.ts'
import { type AwsLocal, startAwsLocal } from '../../support/aws-local.ts'

const clock = createSystemClock()
const ids = createRandomIds(clock)
const signal = quiet()
let aws: AwsLocal
let home: AwsCell
let berths: StackBerths

beforeAll(async () => {
  aws = await startAwsLocal()
  home = await openAwsCell(aws)
  berths = createStackBerths({ ...home, clock }, { pollMs: quickPoll })
})
afterEach(async () => {
  aws.control.clearFaults()
  await aws.control.set({ held: [], functionMs: 0, limits: false })
})
afterAll(async () => {
  await home?.[Symbol.asyncDispose]()
  await aws?.[Symbol.asyncDispose]()
})

const nameFor = (berthId: BerthId) => nameOf('berth', berthId)
const made = async (): Promise<BerthId> => {
  const berthId = ids.berthId()
  await berths.create(berthId, { signal })
  return berthId
}
const errorOf = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: unknown) => (isBerthError(error) ? error : null),
  )
const functionOf = (berthId: BerthId) =>
  home.cell.clients.lambda.send(new GetFunctionCommand({ FunctionName: nameFor(berthId) }))

describe('making a berth', () => {
  test('goes on when CloudFormation throttles, breaks the connection, loses the answer or fails by itself', async () => {
    const berthId = ids.berthId()
    for (const kind of ['throttle', 'reset', 'lose_answer', 'internal_error'] as const) {
      aws.control.fault({ kind, action: 'CreateStack' })
      aws.control.fault({ kind, action: 'DescribeStacks' })
      aws.control.fault({ kind, action: 'GetFunction' })
    }

    await berths.create(berthId, { signal })

    expect(await berths.find(berthId, { signal })).toEqual({ berthId, partial: false })
  })

  test('tells the stack’s own reason when its function cannot be made, and leaves nothing behind', async () => {
    const berthId = ids.berthId()
    const image = `${home.cell.foundation.repositoryUri}@sha256:${'0'.repeat(64)}`
    const broken = createStackBerths(
      { cell: home.cell, clock, wantedImage: { read: async () => ({ image, version: 1, fence: 0 }) } },
      { pollMs: quickPoll },
    )

    const error = await errorOf(broken.create(berthId, { signal }))

    expect(error?.code).toBe('provisioning_failed')
    expect(error?.data).toMatchObject({
      cell: 'home',
      stack: nameFor(berthId),
      reason: expect.stringMatching(/^Function: .*image/i),
    })
    expect(await berths.find(berthId, { signal })).toBeNull()
  })

  test('without a wanted image says what to do', async () => {
    const none = createStackBerths({ cell: home.cell, clock, wantedImage: { read: async () => null } })

    const error = await errorOf(none.create(ids.berthId(), { signal }))

    expect(error?.message).toContain('no runner image yet')
  })

  test('replaces the husk of a change set that nobody executed', async () => {
    const berthId = ids.berthId()
    const { cloudFormation } = home.cell.clients
    const change = { StackName: nameFor(berthId), ChangeSetName: 'never' }
    await cloudFormation.send(
      new CreateChangeSetCommand({
        ...change,
        ChangeSetType: 'CREATE',
        TemplateBody: tenantTemplate(),
        Parameters: tenantParameters(home.cell, berthId, home.image),
        Capabilities: ['CAPABILITY_NAMED_IAM'],
      }),
    )
    await waitUntilChangeSetCreateComplete({ client: cloudFormation, maxWaitTime: 120, minDelay: 0.05 }, change)
    const { Stacks } = await cloudFormation.send(new DescribeStacksCommand({ StackName: nameFor(berthId) }))
    expect(Stacks?.[0]?.StackStatus).toBe('REVIEW_IN_PROGRESS')

    await berths.create(berthId, { signal })

    expect(await berths.find(berthId, { signal })).toEqual({ berthId, partial: false })
  })

  test('waits for a function that is still pending', async () => {
    const berthId = await made()
    await aws.control.setFunctionState({ name: nameFor(berthId), state: 'Pending', reasonCode: 'Creating' })
    let up = false
    const creating = berths.create(berthId, { signal }).then(() => (up = true))
    const pending = aws.control.fault({ kind: 'delay', ms: 0, action: 'GetFunction', times: 3 })
    await pending.firstFired
    expect(up).toBe(false)

    await aws.control.setFunctionState({ name: nameFor(berthId), state: 'Active' })
    await creating

    expect(up).toBe(true)
  })

  test('a part that was deleted by hand makes the berth partial, and it comes back with the files kept', async () => {
    const berthId = await made()
    const { logs, s3 } = home.cell.clients
    const Key = `${filesPrefixOf(berthId)}kept.txt`
    await s3.send(new PutObjectCommand({ Bucket: home.cell.foundation.bucket, Key, Body: 'kept' }))
    await logs.send(new DeleteLogGroupCommand({ logGroupName: logGroupOf('berth', berthId) }))
    expect(await berths.find(berthId, { signal })).toEqual({ berthId, partial: true })
    expect(await collect(berths.list({ signal }))).toContainEqual(expect.objectContaining({ berthId, partial: true }))

    await berths.create(berthId, { signal })

    expect(await berths.find(berthId, { signal })).toEqual({ berthId, partial: false })
    expect((await berths.destroy(berthId, { signal })).deleted).toContainEqual({
      kind: 'file',
      name: filesPrefixOf(berthId),
      count: 1,
    })
  })

  test('that is aborted in the middle is taken up again where it was', async () => {
    const berthId = ids.berthId()
    await aws.control.set({ held: ['create'] })
    const stop = new AbortController()
    const polled = aws.control.fault({ kind: 'delay', ms: 0, action: 'DescribeStacks', containing: nameFor(berthId) })
    const first = berths.create(berthId, { signal: stop.signal })
    await polled.firstFired
    stop.abort(new Error('the server stops'))
    await expect(first).rejects.toThrow('the server stops')

    const second = berths.create(berthId, { signal })
    await aws.control.set({ held: [] })
    await second

    expect(await berths.find(berthId, { signal })).toEqual({ berthId, partial: false })
  })

  test('many at once are looked up in one listing', async () => {
    await aws.control.set({ held: ['create'] })
    const before = aws.control.requests()['cloudformation:ListStacks'] ?? 0
    const listed = aws.control.fault({ kind: 'delay', ms: 0, action: 'ListStacks' })
    const twelve = Array.from({ length: 12 }, () => ids.berthId())
    const making = Promise.all(twelve.map((berthId) => berths.create(berthId, { signal })))
    await listed.firstFired
    await aws.control.set({ held: [] })
    await making

    expect(aws.control.requests()['cloudformation:ListStacks']).toBeGreaterThan(before)
    for (const berthId of twelve) expect(await berths.standing(berthId, { signal })).toBe('running')
  })
})

describe('destroying a berth', () => {
  test('takes every version, every delete mark and every unfinished upload', async () => {
    const berthId = await made()
    const { s3 } = home.cell.clients
    const Bucket = home.cell.foundation.bucket
    const Key = `${filesPrefixOf(berthId)}a.txt`
    for (const Body of ['one', 'two']) await s3.send(new PutObjectCommand({ Bucket, Key, Body }))
    await s3.send(new PutObjectCommand({ Bucket, Key: `${runsPrefixOf(berthId)}rx/out.png`, Body: 'png' }))
    await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: `${runsPrefixOf(berthId)}rx/big` }))

    const { deleted, verifiedAbsent } = await berths.destroy(berthId, { signal })

    const counts = Object.fromEntries(deleted.map(({ kind, count }) => [kind, count]))
    expect(counts).toMatchObject({ stack: 1, function: 1, role: 1, log_group: 1, file: 1, artifact: 1, upload: 1 })
    expect(counts['object_version']).toBe(3)
    expect(verifiedAbsent.map(({ kind }) => kind)).toEqual(['stack', 'function', 'role', 'log_group', 'object'])
  })

  test('ends the same when it is aborted in the middle and repeated', async () => {
    const berthId = await made()
    await aws.control.set({ held: ['delete'] })
    const stop = new AbortController()
    const asked = aws.control.fault({ kind: 'delay', ms: 0, action: 'DeleteStack' })
    const first = berths.destroy(berthId, { signal: stop.signal })
    await asked.firstFired
    stop.abort(new Error('the server stops'))
    await expect(first).rejects.toThrow('the server stops')
    await aws.control.set({ held: [] })

    await berths.destroy(berthId, { signal })

    expect(await berths.find(berthId, { signal })).toBeNull()
    expect(await collect(berths.list({ signal }))).not.toContainEqual(expect.objectContaining({ berthId }))
  })

  test('takes a log group that came back after its stack was gone', async () => {
    const berthId = await made()
    await berths.destroy(berthId, { signal })
    const logGroupName = logGroupOf('berth', berthId)
    await home.cell.clients.logs.send(new CreateLogGroupCommand({ logGroupName }))
    expect(await collect(berths.list({ signal }))).toContainEqual(expect.objectContaining({ berthId, partial: true }))

    const { deleted } = await berths.destroy(berthId, { signal })

    expect(deleted).toContainEqual({ kind: 'log_group', name: logGroupName, count: 1 })
    const left = await home.cell.clients.logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: logGroupName }))
    expect(left.logGroups).toEqual([])
  })

  test('of a suspended berth takes the policies along that the stack does not know', async () => {
    const berthId = await made()
    await berths.suspend(berthId, { signal })

    await berths.destroy(berthId, { signal })

    expect(await berths.find(berthId, { signal })).toBeNull()
  })
})

const policiesOf = async (berthId: BerthId) =>
  (await home.cell.clients.iam.send(new ListRolePoliciesCommand({ RoleName: nameFor(berthId) }))).PolicyNames ?? []

describe('suspending a berth', () => {
  test('takes its concurrency and every session of its role; twice is as good as once', async () => {
    const berthId = await made()

    await berths.suspend(berthId, { signal })
    await berths.suspend(berthId, { signal })

    expect(await berths.standing(berthId, { signal })).toBe('suspended')
    expect((await functionOf(berthId)).Concurrency?.ReservedConcurrentExecutions).toBe(0)
    expect(await policiesOf(berthId)).toEqual(expect.arrayContaining([SUSPENDED_POLICY, REVOKED_POLICY]))
    const revoked = await home.cell.clients.iam.send(
      new GetRolePolicyCommand({ RoleName: nameFor(berthId), PolicyName: REVOKED_POLICY }),
    )
    expect(decodeURIComponent(revoked.PolicyDocument ?? '')).toContain('aws:TokenIssueTime')
  })

  test('that is cut off shows as half, and either command ends it', async () => {
    const berthId = await made()
    for (const finish of ['suspend', 'resume'] as const) {
      aws.control.fault({ kind: 'error', action: 'PutRolePolicy', error: refusal })
      expect(await codeOf(berths.suspend(berthId, { signal }))).toBe('backend_unavailable')
      expect(await berths.standing(berthId, { signal })).toBe('half_suspended')

      await berths[finish](berthId, { signal })
      expect(await berths.standing(berthId, { signal })).toBe(finish === 'suspend' ? 'suspended' : 'running')
      await berths.resume(berthId, { signal })
    }
  })

  test('ends with resume, which replaces environments and leaves old sessions revoked', async () => {
    const berthId = await made()
    await berths.suspend(berthId, { signal })
    const before = (await functionOf(berthId)).Configuration?.RevisionId

    await berths.resume(berthId, { signal })
    await berths.resume(berthId, { signal })

    const after = await functionOf(berthId)
    expect(after.Concurrency?.ReservedConcurrentExecutions).toBeUndefined()
    expect(after.Configuration?.RevisionId).not.toBe(before)
    expect(await policiesOf(berthId)).toContain(REVOKED_POLICY)
    expect(await policiesOf(berthId)).not.toContain(SUSPENDED_POLICY)
  })

  test('means nothing for a berth that is not there', async () => {
    const berthId = ids.berthId()

    await berths.suspend(berthId, { signal })
    await berths.resume(berthId, { signal })

    expect(await berths.standing(berthId, { signal })).toBe('absent')
  })
})

const refusal = { status: 403, code: 'AccessDenied', message: 'not allowed' }

const larger = () => {
  const cell = { ...home.cell, functions: { ...home.cell.functions, memoryMiB: 2048 } }
  return createStackBerths({ ...home, cell, clock }, { pollMs: quickPoll })
}

describe('upgrading a stack', () => {
  test('that is as the template has it changes nothing', async () => {
    expect(await berths.upgrade(await made(), { signal })).toBe('unchanged')
  })

  test('brings new settings and never puts an old image back', async () => {
    const berthId = await made()
    const newer = await aws.image('v2', undefined, home.image.split('@')[0]?.split('/').slice(1).join('/'))
    await home.cell.clients.lambda.send(
      new UpdateFunctionCodeCommand({ FunctionName: nameFor(berthId), ImageUri: newer }),
    )

    expect(await larger().upgrade(berthId, { signal })).toBe('upgraded')

    const { Configuration, Code } = await functionOf(berthId)
    expect(Configuration?.MemorySize).toBe(2048)
    expect(Code?.ResolvedImageUri ?? Code?.ImageUri).toBe(newer)
  })

  test('leaves a suspended berth suspended', async () => {
    const berthId = await made()
    await berths.suspend(berthId, { signal })

    await larger().upgrade(berthId, { signal })

    expect(await berths.standing(berthId, { signal })).toBe('suspended')
  })

  test('of a berth without a stack is refused', async () => {
    expect(await codeOf(berths.upgrade(ids.berthId(), { signal }))).toBe('not_found')
  })
})

describe('drift', () => {
  test('a berth that was just made has none, and every setting or right that somebody changed is told', async () => {
    const berthId = await made()
    const { lambda, logs, iam } = home.cell.clients
    const [FunctionName, RoleName] = [nameFor(berthId), nameFor(berthId)]
    const drift = () => berths.drift?.(berthId, { signal })
    expect(await drift()).toEqual([])
    await berths.suspend(berthId, { signal })
    expect(await drift()).toEqual([])
    await berths.resume(berthId, { signal })

    await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName, MemorySize: 2048, Timeout: 7 }))
    await lambda.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: 3 }))
    await logs.send(new PutRetentionPolicyCommand({ logGroupName: logGroupOf('berth', berthId), retentionInDays: 7 }))
    await iam.send(new DeleteRolePermissionsBoundaryCommand({ RoleName }))
    await iam.send(new UntagRoleCommand({ RoleName, TagKeys: ['berth'] }))
    const everybody = { Effect: 'Allow', Principal: { AWS: '*' }, Action: 'sts:AssumeRole' }
    const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: [everybody] })
    await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument }))
    const { Configuration = {} } = await lambda.send(new GetFunctionCommand({ FunctionName }))
    await lambda.send(
      new TagResourceCommand({ Resource: Configuration.FunctionArn, Tags: { 'berth:deployment': 'other' } }),
    )
    const wide = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] }
    for (const PolicyName of ['own-prefix-and-log-group', 'more'])
      await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName, PolicyDocument: JSON.stringify(wide) }))

    expect(await drift()).toEqual([
      'memory MiB: 2048, wanted 1024',
      'time-out seconds: 7, wanted 120',
      'tag berth:deployment of the function: other, wanted berth',
      'reserved concurrency: 3, wanted null',
      'log retention days: 7, wanted 30',
      `permissions boundary: undefined, wanted ${home.cell.foundation.boundaryArn}`,
      `tag berth of the role: undefined, wanted ${berthId}`,
      'who may act as the role is not as the template has it',
      'policy more is not the template’s',
      'policy own-prefix-and-log-group is not as the template has it',
    ])
  })

  test("a function that acts as another berth's role is told, and rights under the names of a suspension's policies", async () => {
    const [berthId, other] = [await made(), await made()]
    const { lambda, iam } = home.cell.clients
    const { Configuration = {} } = await lambda.send(new GetFunctionCommand({ FunctionName: nameFor(other) }))
    const Role = Configuration.Role ?? ''
    const own = Role.replace(other, berthId)
    // Else AWS refuses: a berth's role trusts its own function alone.
    const lambdaMay = { Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }
    const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: [lambdaMay] })
    await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: nameFor(other), PolicyDocument }))

    await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: nameFor(berthId), Role }))
    const wide = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] }
    for (const PolicyName of [SUSPENDED_POLICY, REVOKED_POLICY])
      await iam.send(
        new PutRolePolicyCommand({ RoleName: nameFor(berthId), PolicyName, PolicyDocument: JSON.stringify(wide) }),
      )

    expect(await berths.drift?.(berthId, { signal })).toEqual([
      `role: ${Role}, wanted ${own}`,
      `policy ${REVOKED_POLICY} does more than to deny`,
      `policy ${SUSPENDED_POLICY} does more than to deny`,
    ])
  })
})
