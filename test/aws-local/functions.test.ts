// @module-tag aws-local
import {
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionCommand,
  PutFunctionConcurrencyCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda'
import { ECRClient, PutImageCommand } from '@aws-sdk/client-ecr'
import { DeleteRoleCommand } from '@aws-sdk/client-iam'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AwsSite, createRole, errorOf, onAndOff, openSite, uniqueName, PATIENTLY } from './aws-site.ts'

let site: AwsSite
beforeAll(async () => {
  site = await openSite()
})
afterAll(async () => {
  await site[Symbol.asyncDispose]()
})

const shown = async (name: string) => {
  const { Configuration, Code } = await site.lambda.send(new GetFunctionCommand({ FunctionName: name }))
  return {
    state: Configuration?.State,
    reason: Configuration?.StateReasonCode,
    update: Configuration?.LastUpdateStatus,
    revision: Configuration?.RevisionId,
    image: Code?.ResolvedImageUri,
    sha256: Configuration?.CodeSha256,
  }
}
const answers = (value: number) =>
  ({ kind: 'handler', source: `def handler(event, context):\n    return ${value}\n` }) as const
const updateCode = (name: string, ImageUri: string, more: object = {}) =>
  site.lambda.send(new UpdateFunctionCodeCommand({ FunctionName: name, ImageUri, ...more }))

const create = async (more: object, roleArn?: string): Promise<string> => {
  const name = uniqueName()
  const { Role } = await createRole(site.iam, name)
  const Code = { ImageUri: await site.aws.image(name) }
  return errorOf(
    site.lambda.send(
      new CreateFunctionCommand({
        FunctionName: name,
        PackageType: 'Image',
        Code,
        Role: roleArn ?? Role?.Arn,
        ...more,
      }),
    ),
  )
}
const INVALID = 'InvalidParameterValueException'

describe('a function', () => {
  test('is Pending at first and refuses runs until it is Active', async () => {
    await site.aws.control.set({ held: ['function'] })
    const pending = async () => {
      const name = await site.makeFunction()
      return [(await shown(name)).state, await errorOf(site.invoke(name))]
    }

    const on = await pending()
    await site.aws.control.set({ held: [] })
    const active = await site.makeFunction()

    expect(on).toEqual(['Pending', 'ResourceConflictException'])
    expect([(await shown(active)).state, await errorOf(site.invoke(active))]).toEqual(['Active', 'none'])
  })

  test('that is Pending is invoked all the same where that part is off', async () => {
    const name = await site.makeFunction()
    await site.aws.control.setFunctionState({ name, state: 'Pending', reasonCode: 'Creating' })

    const outcomes = await onAndOff(site, ['states'], () => errorOf(site.invoke(name)))

    expect(outcomes).toEqual(['ResourceConflictException', 'none'])
  })

  test('runs its old code until the update is over, and takes no second update meanwhile', async () => {
    const name = await site.makeFunction(answers(1))
    const next = await site.aws.image(`${name}-2`, answers(2))
    await site.aws.control.set({ held: ['function'] })

    await updateCode(name, next)
    const meanwhile = { ...(await shown(name)), answer: (await site.invoke(name)).json }
    const second = await onAndOff(site, ['conflicts'], () => errorOf(updateCode(name, next)))
    await site.aws.control.set({ held: [] })
    await expect.poll(async () => (await shown(name)).update, PATIENTLY).toBe('Successful')

    expect(meanwhile).toMatchObject({ state: 'Active', update: 'InProgress', answer: 1 })
    expect(second).toEqual(['ResourceConflictException', 'none'])
    expect((await site.invoke(name)).json).toBe(2)
  })

  test('shows its image by digest even when its code was set by tag, and keeps it when the tag moves on', async () => {
    const one = await site.aws.image('moving-1', answers(1))
    const [repository] = one.split('@')
    const name = await site.makeFunction()

    await updateCode(name, `${repository}:moving-1`)

    expect(await shown(name)).toMatchObject({ image: one, sha256: one.split('sha256:')[1] })
  })

  test('is updated only from the revision that the caller has seen', async () => {
    const name = await site.makeFunction()
    const image = await site.aws.image(`${name}-2`)

    expect(await errorOf(updateCode(name, image, { RevisionId: 'stale' }))).toBe('PreconditionFailedException')
    expect(await errorOf(updateCode(name, image, { RevisionId: (await shown(name)).revision }))).toBe('none')
  })

  test('stays as it is in a dry run', async () => {
    const changed = async (): Promise<boolean> => {
      const name = await site.makeFunction()
      const before = await shown(name)
      await updateCode(name, await site.aws.image(`${name}-2`), { DryRun: true })
      return (await shown(name)).image !== before.image
    }

    expect(await onAndOff(site, ['dry-run'], changed)).toEqual([false, true])
  })
})

describe('Lambda refuses', () => {
  test('an image that is not in ECR', async () => {
    const Code = { ImageUri: '000000000000.dkr.ecr.eu-central-1.amazonaws.com/berth:no-such-tag' }

    expect(await onAndOff(site, ['images'], () => create({ Code }))).toEqual([INVALID, 'none'])
  })

  test('an image for several architectures', async () => {
    const ecr = new ECRClient(site.aws.client)
    await site.aws.image(uniqueName())
    const imageManifestMediaType = 'application/vnd.oci.image.index.v1+json'
    const imageManifest = JSON.stringify({ schemaVersion: 2, mediaType: imageManifestMediaType, manifests: [] })
    const imageTag = uniqueName()
    await ecr.send(new PutImageCommand({ repositoryName: 'berth', imageTag, imageManifest, imageManifestMediaType }))
    ecr.destroy()

    const Code = { ImageUri: `000000000000.dkr.ecr.eu-central-1.amazonaws.com/berth:${imageTag}` }

    expect(await create({ Code })).toBe(INVALID)
  })

  test('a role that is too new, and takes it later', async () => {
    await site.aws.control.set({ held: ['role'] })
    const tooNew = await onAndOff(site, ['new-roles'], () => create({}))
    await site.aws.control.set({ held: [] })

    expect([...tooNew, await create({})]).toEqual([INVALID, 'none', 'none'])
  })

  test('a role that is not there', async () => {
    expect(await create({}, 'arn:aws:iam::000000000000:role/no-such-role')).toBe(INVALID)
  })

  test('to run a function whose role was deleted', async () => {
    const name = await site.makeFunction()
    await site.iam.send(new DeleteRoleCommand({ RoleName: name }))

    expect(await errorOf(site.invoke(name))).toBe('AccessDeniedException')
  })

  test('memory out of range', async () => {
    expect(await onAndOff(site, ['ranges'], () => create({ MemorySize: 127 }))).toEqual([INVALID, 'none'])
    const name = await site.makeFunction()
    const update = new UpdateFunctionConfigurationCommand({ FunctionName: name, MemorySize: 10_241 })
    expect(await errorOf(site.lambda.send(update))).toBe(INVALID)
  })

  test("to reserve the last 100 of the account's concurrency", async () => {
    const reserve = async (): Promise<string> => {
      const FunctionName = await site.makeFunction()
      const put = new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: 901 })
      const outcome = await errorOf(site.lambda.send(put))
      await site.lambda.send(new DeleteFunctionCommand({ FunctionName }))
      return outcome
    }

    expect(await onAndOff(site, ['reserved'], reserve)).toEqual([INVALID, 'none'])
  })
})

describe('a function that nobody has used for long', () => {
  test('refuses the first run, wakes, and then runs', async () => {
    const name = await site.makeFunction()
    await site.aws.control.set({ held: ['wake'] })
    await site.aws.control.setFunctionState({ name, state: 'Inactive', reasonCode: 'Idle' })

    const first = await errorOf(site.invoke(name))
    const waking = [(await shown(name)).state, await errorOf(site.invoke(name))]
    await site.aws.control.set({ held: [] })
    await expect.poll(async () => (await shown(name)).state, PATIENTLY).toBe('Active')

    expect([first, ...waking]).toEqual([
      'CodeArtifactUserPendingException',
      'Pending',
      'CodeArtifactUserPendingException',
    ])
    expect(await errorOf(site.invoke(name))).toBe('none')
  })

  test('becomes Inactive by itself, and with no such time never', async () => {
    const name = await site.makeFunction()
    await site.invoke(name)
    const awake = (await shown(name)).state

    await site.aws.control.set({ idleMs: 0 })
    const asleep = await shown(name)
    await site.aws.control.set({ idleMs: null })

    expect([awake, asleep.state, asleep.reason]).toEqual(['Active', 'Inactive', 'Idle'])
  })

  test.each([
    ['ImageDeleted', 'CodeArtifactUserDeletedException'],
    ['InvalidImage', 'CodeArtifactUserFailedException'],
  ])('or that has failed for %s says so', async (reasonCode, expected) => {
    const name = await site.makeFunction()

    await site.aws.control.setFunctionState({ name, state: 'Failed', reasonCode })

    expect(await errorOf(site.invoke(name))).toBe(expected)
  })
})
