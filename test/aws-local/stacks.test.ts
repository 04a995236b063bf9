// @module-tag aws-local
import {
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStacksCommand,
  UpdateStackCommand,
} from '@aws-sdk/client-cloudformation'
import { CreatePolicyCommand, GetRoleCommand, ListRoleTagsCommand } from '@aws-sdk/client-iam'
import { GetFunctionCommand, GetFunctionConcurrencyCommand } from '@aws-sdk/client-lambda'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type AwsSite,
  createRole,
  deleteStack,
  errorOf,
  onAndOff,
  openSite,
  TRUST_LAMBDA,
  uniqueName,
  PATIENTLY,
} from './aws-site.ts'

let site: AwsSite
let image: string
beforeAll(async () => {
  site = await openSite()
  image = await site.aws.image('v1')
})
afterAll(async () => {
  await site[Symbol.asyncDispose]()
})

const role = (name: string, more: object = {}) => ({
  Type: 'AWS::IAM::Role',
  Properties: { RoleName: name, AssumeRolePolicyDocument: TRUST_LAMBDA, ...more },
})
const logGroup = (name: string) => ({ Type: 'AWS::Logs::LogGroup', Properties: { LogGroupName: `/t/${name}` } })
const functionOf = (name: string, more: object = {}) => ({
  Type: 'AWS::Lambda::Function',
  Properties: {
    FunctionName: name,
    PackageType: 'Image',
    Code: { ImageUri: image },
    Role: { 'Fn::GetAtt': ['Role', 'Arn'] },
    ...more,
  },
})
const berth = (name: string, more: object = {}) => ({
  Role: role(name),
  LogGroup: logGroup(name),
  Function: functionOf(name, more),
})

const roleExists = async (name: string): Promise<boolean> =>
  (await errorOf(site.iam.send(new GetRoleCommand({ RoleName: name })))) === 'none'

/** Creates a stack with these properties of the function and tells how that ended. It leaves nothing to the other tests. */
const outcome = async (more: object): Promise<string | null> => {
  const name = uniqueName()
  await site.create(name, berth(name, more))
  const ended = await site.settled(name)
  await deleteStack(site, name)
  await site.settled(name)
  return ended
}

describe('a stack takes its time', () => {
  test('in creation, update and deletion, and with that part off it does not', async () => {
    const live = async (): Promise<(string | null)[]> => {
      const name = uniqueName()
      await site.aws.control.set({ held: ['create'] })
      await site.create(name, berth(name))
      const creating = await site.status(name)
      await site.aws.control.set({ held: ['update'] })
      const created = await site.settled(name)
      const TemplateBody = JSON.stringify({ Resources: berth(name, { MemorySize: 256 }) })
      const Capabilities = ['CAPABILITY_NAMED_IAM' as const]
      await site.cloudFormation.send(new UpdateStackCommand({ StackName: name, TemplateBody, Capabilities }))
      const updating = await site.status(name)
      await site.aws.control.set({ held: ['delete'] })
      const updated = await site.settled(name)
      await deleteStack(site, name)
      const deleting = await site.status(name)
      await site.aws.control.set({ held: [] })
      return [creating, created, updating, updated, deleting, await site.settled(name)]
    }

    const [on, off] = await onAndOff(site, ['stacks'], live)

    const steady = ['CREATE_COMPLETE', 'UPDATE_COMPLETE', null]
    expect(on).toEqual([
      'CREATE_IN_PROGRESS',
      steady[0],
      'UPDATE_IN_PROGRESS',
      steady[1],
      'DELETE_IN_PROGRESS',
      steady[2],
    ])
    expect(off).toEqual([steady[0], steady[0], steady[1], steady[1], null, null])
  })

  test('as long as it was told', async () => {
    await site.aws.control.set({ stackCreateMs: 300 })
    const name = uniqueName()
    const startedAt = performance.now()

    await site.create(name, berth(name))
    await site.settled(name)
    await site.aws.control.set({ stackCreateMs: 0 })

    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(300)
  })

  test('and its deletion meanwhile ends it without a trace', async () => {
    const name = uniqueName()
    await site.aws.control.set({ held: ['function'] })
    await site.create(name, berth(name))
    await expect.poll(() => roleExists(name), PATIENTLY).toBe(true)

    await deleteStack(site, name)
    await site.aws.control.set({ held: [] })

    expect(await site.settled(name)).toBeNull()
    expect(await roleExists(name)).toBe(false)
    expect(await errorOf(site.lambda.send(new GetFunctionCommand({ FunctionName: name })))).toBe(
      'ResourceNotFoundException',
    )
  })
})

describe('a request with a token', () => {
  test('acts once, however often it comes', async () => {
    const isSameStack = async (): Promise<boolean> => {
      const name = uniqueName()
      const once = () => site.create(name, { LogGroup: logGroup(name) }, { ClientRequestToken: `token-${name}` })
      const first = await once()
      return first === (await once().catch((error: Error) => error.name))
    }

    expect(await onAndOff(site, ['tokens'], isSameStack)).toEqual([true, false])
  })

  test('is refused for something else', async () => {
    const [name, other] = [uniqueName(), uniqueName()]
    await site.create(name, { LogGroup: logGroup(name) }, { ClientRequestToken: name })

    const again = site.create(other, { LogGroup: logGroup(other) }, { ClientRequestToken: name })

    expect(await errorOf(again)).toBe('TokenAlreadyExistsException')
  })

  test('without one is refused, for the name is taken', async () => {
    const name = uniqueName()
    await site.create(name, { LogGroup: logGroup(name) })

    expect(await errorOf(site.create(name, { LogGroup: logGroup(name) }))).toBe('AlreadyExistsException')
  })

  test('starts anew once its stack is gone', async () => {
    const name = uniqueName()
    const once = () => site.create(name, { LogGroup: logGroup(name) }, { ClientRequestToken: name })
    const first = await once()
    await deleteStack(site, name)
    await site.settled(name)

    expect(await once()).not.toBe(first)
  })
})

test('a stack that was rolled back keeps its name until it is deleted', async () => {
  const again = async (): Promise<string> => {
    const name = uniqueName()
    await site.create(name, berth(name, { MemorySize: 5 }))
    expect(await site.settled(name)).toBe('ROLLBACK_COMPLETE')
    return errorOf(site.create(name, { LogGroup: logGroup(name) }))
  }

  expect(await onAndOff(site, ['stack-names'], again)).toEqual(['AlreadyExistsException', 'none'])
})

test('a stack that fails with OnFailure=DELETE leaves nothing but the reason', async () => {
  const name = uniqueName()

  const id = await site.create(name, berth(name, { MemorySize: 5 }), { OnFailure: 'DELETE' })

  expect(await site.settled(name)).toBeNull()
  expect(await roleExists(name)).toBe(false)
  expect(await site.reasons(id)).toContain("'MemorySize' value 5 failed to satisfy constraint")
  const { Stacks = [] } = await site.cloudFormation.send(new DescribeStacksCommand({ StackName: id }))
  expect(Stacks[0]?.StackStatus).toBe('DELETE_COMPLETE')
})

describe('a role of a stack', () => {
  test('has its permissions boundary', async () => {
    const document = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] }
    const { Policy } = await site.iam.send(
      new CreatePolicyCommand({ PolicyName: uniqueName(), PolicyDocument: JSON.stringify(document) }),
    )
    const boundary = async (): Promise<string | undefined> => {
      const name = uniqueName()
      await site.create(name, { Role: role(name, { PermissionsBoundary: Policy?.Arn }) })
      await site.settled(name)
      const { Role } = await site.iam.send(new GetRoleCommand({ RoleName: name }))
      return Role?.PermissionsBoundary?.PermissionsBoundaryArn
    }

    expect(await onAndOff(site, ['boundaries'], boundary)).toEqual([Policy?.Arn, undefined])
  })

  test("cannot take another role's name, in whatever case", async () => {
    const clash = async (): Promise<string | null> => {
      const name = uniqueName()
      await createRole(site.iam, name)
      await site.create(name, { Role: role(name.toUpperCase()) })
      return site.settled(name)
    }

    expect(await onAndOff(site, ['role-names'], clash)).toEqual(['ROLLBACK_COMPLETE', 'CREATE_COMPLETE'])
  })

  test("bears its own tags and none of CloudFormation's", async () => {
    const tags = async (): Promise<boolean | undefined> => {
      const name = uniqueName()
      await site.create(name, { Role: role(name, { Tags: [{ Key: 'berth', Value: 'b1' }] }) })
      await site.settled(name)
      const { Tags } = await site.iam.send(new ListRoleTagsCommand({ RoleName: name }))
      expect(Tags).toContainEqual({ Key: 'berth', Value: 'b1' })
      return Tags?.some(({ Key }) => Key?.startsWith('aws:'))
    }

    expect(await onAndOff(site, ['role-tags'], tags)).toEqual([false, true])
  })
})

describe('a function of a stack', () => {
  test.each([
    ['memory out of range', { MemorySize: 127 }],
    ['a time-out out of range', { Timeout: 901 }],
    ['ephemeral storage out of range', { EphemeralStorage: { Size: 511 } }],
    ['too many bytes of variables', { Environment: { Variables: { A: 'x'.repeat(5000) } } }],
  ])('with %s fails', async (_, more) => {
    expect(await onAndOff(site, ['ranges'], () => outcome(more))).toEqual(['ROLLBACK_COMPLETE', 'CREATE_COMPLETE'])
  })

  test('whose image is not in ECR fails', async () => {
    const missing = { Code: { ImageUri: `${image.split('@')[0]}@sha256:${'0'.repeat(64)}` } }

    expect(await onAndOff(site, ['images'], () => outcome(missing))).toEqual(['ROLLBACK_COMPLETE', 'CREATE_COMPLETE'])
  })

  test('that there is already fails, and the one there stays as it was', async () => {
    const clash = async (): Promise<string | null> => {
      const name = await site.makeFunction()
      const stack = uniqueName()
      await site.create(stack, { Role: role(stack), Function: functionOf(name) })
      return site.settled(stack)
    }

    expect(await onAndOff(site, ['function-names'], clash)).toEqual(['ROLLBACK_COMPLETE', 'CREATE_COMPLETE'])
  })

  test('keeps reserved concurrency, tenancy, VPC and log settings', async () => {
    const kept = async () => {
      const name = uniqueName()
      await site.create(
        name,
        berth(name, {
          ReservedConcurrentExecutions: 3,
          TenancyConfig: { TenantIsolationMode: 'PER_TENANT' },
          VpcConfig: { SubnetIds: ['subnet-1'], SecurityGroupIds: ['sg-1'] },
          LoggingConfig: { LogFormat: 'JSON', LogGroup: { Ref: 'LogGroup' } },
          EphemeralStorage: { Size: 1024 },
        }),
      )
      await site.settled(name)
      const { Configuration } = await site.lambda.send(new GetFunctionCommand({ FunctionName: name }))
      const concurrency = await site.lambda.send(new GetFunctionConcurrencyCommand({ FunctionName: name }))
      return {
        reserved: concurrency.ReservedConcurrentExecutions,
        tenancy: Configuration?.TenancyConfig?.TenantIsolationMode,
        subnets: Configuration?.VpcConfig?.SubnetIds,
        logFormat: Configuration?.LoggingConfig?.LogFormat,
      }
    }

    const [on, off] = await onAndOff(site, ['properties'], kept)

    expect(on).toEqual({ reserved: 3, tenancy: 'PER_TENANT', subnets: ['subnet-1'], logFormat: 'JSON' })
    expect(off).toEqual({ reserved: undefined, tenancy: undefined, subnets: undefined, logFormat: 'JSON' })
  })

  test("leaves at least 100 of the account's concurrency unreserved", async () => {
    const tooMany = { ReservedConcurrentExecutions: 901 }

    expect(await onAndOff(site, ['reserved'], () => outcome(tooMany))).toEqual(['ROLLBACK_COMPLETE', 'CREATE_COMPLETE'])
  })

  test('waits for a role that Lambda cannot assume yet, as long as CloudFormation is patient', async () => {
    const name = uniqueName()
    await site.aws.control.set({ held: ['role'] })
    await site.create(name, berth(name))
    await expect.poll(() => roleExists(name), PATIENTLY).toBe(true)
    const meanwhile = await site.status(name)
    await site.aws.control.set({ held: [] })

    expect([meanwhile, await site.settled(name)]).toEqual(['CREATE_IN_PROGRESS', 'CREATE_COMPLETE'])
  })

  test('fails with the words of Lambda when the role takes too long', async () => {
    await site.aws.control.set({ held: ['role'], patienceMs: 0 })
    const failed = async (): Promise<string> => {
      const name = uniqueName()
      const id = await site.create(name, berth(name))
      await site.settled(name)
      return site.reasons(id)
    }

    const [on, off] = await onAndOff(site, ['new-roles'], failed)
    await site.aws.control.set({ held: [], patienceMs: 20_000 })

    expect(on).toContain('The role defined for the function cannot be assumed by Lambda.')
    expect(off).toBe('')
  })

  test('fails when its role does not trust Lambda, or trusts it for another function', async () => {
    const lambda = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'lambda.amazonaws.com' } }
    const ec2 = { ...lambda, Principal: { Service: 'ec2.amazonaws.com' } }
    const forAnother = { ...lambda, Condition: { ArnLike: { 'aws:SourceArn': 'arn:aws:lambda:*:*:function:another' } } }
    await site.aws.control.set({ patienceMs: 0 })
    const withTrust = (statement: object) => async () => {
      const name = uniqueName()
      const Role = role(name, { AssumeRolePolicyDocument: { ...TRUST_LAMBDA, Statement: [statement] } })
      await site.create(name, { Role, Function: functionOf(name) })
      return site.settled(name)
    }

    const outcomes = [
      await onAndOff(site, ['trust'], withTrust(ec2)),
      await onAndOff(site, ['trust'], withTrust(forAnother)),
    ]
    await site.aws.control.set({ patienceMs: 20_000 })

    expect(outcomes).toEqual([
      ['ROLLBACK_COMPLETE', 'CREATE_COMPLETE'],
      ['ROLLBACK_COMPLETE', 'CREATE_COMPLETE'],
    ])
  })
})

test('three deletions of one stack are one', async () => {
  const name = uniqueName()
  const id = await site.create(name, berth(name))
  await site.settled(name)
  await site.aws.control.set({ held: ['delete'] })

  for (const _ of [1, 2, 3]) await site.cloudFormation.send(new DeleteStackCommand({ StackName: name }))
  expect(
    await errorOf(
      site.cloudFormation.send(
        new CreateStackCommand({
          StackName: name,
          TemplateBody: JSON.stringify({ Resources: { LogGroup: logGroup(name) } }),
        }),
      ),
    ),
  ).toBe('AlreadyExistsException')
  await site.aws.control.set({ held: [] })

  expect(await site.settled(name)).toBeNull()
  expect(await site.reasons(id)).toBe('')
})
