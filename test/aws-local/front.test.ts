// @module-tag aws-local
import { DescribeAccountLimitsCommand, ListStacksCommand } from '@aws-sdk/client-cloudformation'
import { ListRolesCommand } from '@aws-sdk/client-iam'
import { GetAccountSettingsCommand, GetFunctionCommand, ListFunctionsCommand } from '@aws-sdk/client-lambda'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { GetServiceQuotaCommand, ServiceQuotasClient } from '@aws-sdk/client-service-quotas'
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { CONTROL_PATH } from '../../scripts/aws-local/front.ts'
import { type AwsSite, errorOf, openSite, TRUST_LAMBDA, uniqueName } from './aws-site.ts'

let site: AwsSite
let ssm: SSMClient
beforeAll(async () => {
  site = await openSite()
  ssm = new SSMClient({ ...site.aws.client, maxAttempts: 1 })
  await site.s3.send(new CreateBucketCommand({ Bucket: 'bucket' }))
})
afterEach(() => site.aws.control.clearFaults())
afterAll(async () => {
  ssm.destroy()
  await site[Symbol.asyncDispose]()
})

const listFunctions = () => errorOf(site.lambda.send(new ListFunctionsCommand({})))
const getFunction = (FunctionName: string) => errorOf(site.lambda.send(new GetFunctionCommand({ FunctionName })))
const times = async (count: number, act: () => Promise<string>): Promise<string[]> => {
  const outcomes: string[] = []
  for (let made = 0; made < count; made += 1) outcomes.push(await act())
  return outcomes
}
const put = () => errorOf(site.s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'k', Body: 'x' })))
const listStacks = () => errorOf(site.cloudFormation.send(new ListStacksCommand({})))
const putParameter = () =>
  errorOf(ssm.send(new PutParameterCommand({ Name: '/p', Value: 'v', Type: 'String', Overwrite: true })))
const plan = (body: unknown) =>
  fetch(`${site.aws.endpoint}${CONTROL_PATH}`, { method: 'POST', body: JSON.stringify(body) })
/** Three requests and then, for a very long time, none. */
const THREE = { limits: true, burst: 3, lambdaPerSecond: 0.0001, getFunctionPerSecond: 0.0001 }

describe("Lambda's rates", () => {
  test('refuse what is too much, each of the two pools by itself, and only when switched on', async () => {
    const name = await site.makeFunction()
    await site.aws.control.set(THREE)

    const control = await times(4, listFunctions)
    const reads = await times(4, () => getFunction(name))
    const runs = await times(4, () => errorOf(site.invoke(name)))
    await site.aws.control.set({ limits: false })

    expect(control).toEqual(['none', 'none', 'none', 'TooManyRequestsException'])
    expect(reads).toEqual(['none', 'none', 'none', 'TooManyRequestsException'])
    expect(runs).toEqual(['none', 'none', 'none', 'none'])
    expect(await times(5, listFunctions)).toEqual(Array(5).fill('none'))
  })

  test('count what CloudFormation asks for, which waits for its turn and then gives up', async () => {
    const name = uniqueName()
    const image = await site.aws.image(name)
    await site.aws.control.forgetCalls()
    const create = (stack: string) =>
      site.create(stack, {
        Role: { Type: 'AWS::IAM::Role', Properties: { RoleName: stack, AssumeRolePolicyDocument: TRUST_LAMBDA } },
        Function: {
          Type: 'AWS::Lambda::Function',
          Properties: {
            FunctionName: stack,
            PackageType: 'Image',
            Code: { ImageUri: image },
            Role: { 'Fn::GetAtt': ['Role', 'Arn'] },
            ReservedConcurrentExecutions: 1,
          },
        },
      })
    await create(name)
    await site.settled(name)
    const calls = await site.aws.control.calls()
    await site.aws.control.set({ ...THREE, burst: 0, patienceMs: 0 })
    const starved = uniqueName()
    const id = await create(starved)
    const ended = await site.settled(starved)
    await site.aws.control.set({ limits: false, patienceMs: 20_000 })

    expect(calls).toMatchObject({ lambda: { requests: 2, refused: 0 }, getFunction: { requests: 1 } })
    expect(ended).toBe('ROLLBACK_COMPLETE')
    expect(await site.reasons(id)).toContain('Rate exceeded (Service: Lambda, Status Code: 429)')
  })
})

describe('a planned fault', () => {
  test('of throttling is worded as each service does, and over after as many times as it was planned', async () => {
    using fault = site.aws.control.fault({ action: '*', kind: 'throttle', times: 4 })

    const first = [await listFunctions(), await listStacks(), await putParameter(), await put()]
    const second = [await listFunctions(), await listStacks(), await putParameter(), await put()]

    expect(first).toEqual(['TooManyRequestsException', 'Throttling', 'ThrottlingException', 'SlowDown'])
    expect(second).toEqual(['none', 'none', 'none', 'none'])
    expect(fault.fired).toBe(4)
  })

  test('befalls only the action and the resource it names', async () => {
    const [spared, struck] = [await site.makeFunction(), await site.makeFunction()]
    using fault = site.aws.control.fault({
      action: 'GetFunction',
      containing: struck,
      kind: 'internal_error',
      times: 9,
    })

    const outcomes = [await getFunction(spared), await listFunctions(), await getFunction(struck)]

    expect(outcomes).toEqual(['none', 'none', 'ServiceException'])
    expect(fault.fired).toBe(1)
  })

  test('can be any error', async () => {
    const error = { status: 403, code: 'AccessDeniedException', message: 'not you' }
    site.aws.control.fault({ action: 'ListFunctions', kind: 'error', error })

    expect(await listFunctions()).toBe('AccessDeniedException')
  })

  test('resets the connection before anything has happened', async () => {
    const name = uniqueName()
    site.aws.control.fault({ action: 'CreateStack', kind: 'reset' })

    const outcome = site.create(name, { Handle: { Type: 'AWS::CloudFormation::WaitConditionHandle' } })

    await expect(outcome).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(await site.status(name)).toBeNull()
  })

  test('loses the answer after everything has happened', async () => {
    const name = uniqueName()
    site.aws.control.fault({ action: 'CreateStack', kind: 'lose_answer' })

    const outcome = site.create(name, { Handle: { Type: 'AWS::CloudFormation::WaitConditionHandle' } })

    await expect(outcome).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(await site.settled(name)).toBe('CREATE_COMPLETE')
  })

  test('cuts the answer off', async () => {
    site.aws.control.fault({ action: 'ListRoles', kind: 'truncate' })

    expect(await errorOf(site.iam.send(new ListRolesCommand({})))).not.toBe('none')
    expect(await errorOf(site.iam.send(new ListRolesCommand({})))).toBe('none')
  })

  test('holds a request until it is let go', async () => {
    const name = await site.makeFunction()
    using fault = site.aws.control.fault({ action: 'Invoke', kind: 'hold' })
    const before = site.aws.control.requests()['lambda:Invoke'] ?? 0
    const held = site.invoke(name, 'held')
    await fault.firstFired

    const overtaking = await site.invoke(name, 'overtaking')
    fault.release()

    expect([overtaking.json, (await held).json]).toEqual(['overtaking', 'held'])
    expect(site.aws.control.requests()['lambda:Invoke']).toBe(before + 2)
  })

  test('can be planned from another process', async () => {
    const accepted = await plan({ fault: { action: 'ListFunctions', kind: 'throttle' } })
    const refused = await plan({ switches: { noSuchSwitch: 1 } })

    expect([accepted.status, refused.status]).toEqual([200, 400])
    expect(await refused.json()).toMatchObject({ message: expect.stringContaining('no_such_switch') })
    expect(await listFunctions()).toBe('TooManyRequestsException')
  })
})

describe('the front', () => {
  test('passes on what is large, byte for byte', async () => {
    const Body = Buffer.alloc(8 * 1024 * 1024, 'tenants')
    await site.s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'large ü/%2F..', Body }))

    const { Body: back } = await site.s3.send(new GetObjectCommand({ Bucket: 'bucket', Key: 'large ü/%2F..' }))

    expect(Buffer.from((await back?.transformToByteArray()) ?? []).equals(Body)).toBe(true)
  })

  test("says in the error's own words that a function is not there", async () => {
    expect(await errorOf(site.invoke('no-such-function'))).toBe('ResourceNotFoundException')
  })
})

test('quotas are those of a new account, wherever they are asked for, and can be raised', async () => {
  const quotas = new ServiceQuotasClient(site.aws.client)
  const asked = async () => {
    const ask = new GetServiceQuotaCommand({ ServiceCode: 'lambda', QuotaCode: 'L-B99A9384' })
    const { Quota } = await quotas.send(ask)
    const settings = await site.lambda.send(new GetAccountSettingsCommand({}))
    const { AccountLimits = [] } = await site.cloudFormation.send(new DescribeAccountLimitsCommand({}))
    const stacks = AccountLimits.find(({ Name }) => Name === 'StackLimit')?.Value
    return [Quota?.Value, settings.AccountLimit?.ConcurrentExecutions, stacks]
  }

  const before = await asked()
  await site.aws.control.set({ quotas: { concurrency: 5600, stacks: 6000 } })
  const after = await asked()
  await site.aws.control.set({ quotas: {} })
  quotas.destroy()

  expect([before, after]).toEqual([
    [1000, 1000, 2000],
    [5600, 5600, 6000],
  ])
})
