// @module-tag aws-local
import { DeleteParameterCommand, GetParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CellClients } from '../../src/aws/cell.ts'
import { createCellClients } from '../../src/aws/clients.ts'
import { openCell, readFoundation } from '../../src/aws/open-cell.ts'
import { createPacer } from '../../src/aws/pacer.ts'
import { readQuotas } from '../../src/aws/quotas.ts'
import { createWantedImage } from '../../src/aws/wanted-image.ts'
import { isBerthError } from '../../src/domain/errors.ts'
import type { BerthId } from '../../src/domain/ids.ts'
import { pin, raiseFence } from '../../src/rollout/wanted-changes.ts'
import { quiet } from '../contract/content.ts'
import { ids } from '../contract/store-site.ts'
import { type AwsCell, freeRates, openAwsCell } from '../support/aws-cell.ts'
import { type AwsLocal, startAwsLocal } from '../support/aws-local.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const signal = quiet()
const clock = createVirtualClock()
let aws: AwsLocal
let home: AwsCell
beforeAll(async () => {
  aws = await startAwsLocal()
  home = await openAwsCell(aws, { clock })
})
afterAll(async () => {
  await home?.[Symbol.asyncDispose]()
  await aws?.[Symbol.asyncDispose]()
})

/** A client that has this one answer. */
const answerOf = (value: object) => ({ send: async () => value })

const messageOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no error',
    (error: unknown) => (isBerthError(error) ? `${error.code}: ${error.message}` : String(error)),
  )

describe('a cell', () => {
  test('knows what the foundation’s stack made', () => {
    expect(home.cell.foundation).toMatchObject({ wantedImageParameter: '/berth/wanted-image', noEgress: false })
    expect(home.cell.foundation.repositoryUri).toMatch(/^\d{12}\.dkr\.ecr\./)
  })

  test('without a foundation names the command that makes one', async () => {
    const pacer = createPacer({ clock, rates: freeRates })
    const open = openCell({
      name: 'new',
      region: aws.region,
      deployment: 'other',
      clients: home.cell.clients,
      pacer,
      signal,
    })

    const message = await messageOf(open)

    expect(message).toMatch(
      /^config_invalid: Cell new .*no stack other-foundation.*`berth init`.*BERTH_CELLS.*--region/,
    )
  })

  test('with the foundation of an older Berth names what is missing', async () => {
    const clients = {
      cloudFormation: answerOf({ Stacks: [{ Outputs: [{ OutputKey: 'BucketName', OutputValue: 'a-bucket' }] }] }),
    } as unknown as CellClients
    const pacer = createPacer({ clock, rates: freeRates })

    const message = await messageOf(
      readFoundation({ name: 'old', region: 'x', deployment: 'berth', clients, pacer }, signal),
    )

    expect(message).toMatch(/config_invalid: .*StackRoleArn.*`berth init`/)
  })

  test('can be spoken to as a role of another account', async () => {
    const roleArn = home.cell.foundation.stackRoleArn
    using clients = createCellClients({ region: aws.region, deployment: 'berth', roleArn, externalId: 'ours' })

    const credentials = await clients.lambda.config.credentials()

    expect(credentials.sessionToken).toBeTruthy()
  })
})

const wantedImage = () => createWantedImage(home.cell, clock)

describe('the wanted image', () => {
  const digest = `sha256:${'a'.repeat(64)}`
  const wantedOf = (over: object = {}) => {
    const image = `${home.cell.foundation.repositoryUri}@${digest}`
    return { image, version: 7, fence: 5, ...over }
  }

  test('is read back as it was written, by others too', async () => {
    await createWantedImage(home.cell, clock).write(wantedOf(), { signal })

    expect(await createWantedImage(home.cell, clock).read({ signal })).toEqual(wantedOf())
  })

  test('is remembered for a few seconds', async () => {
    const wanted = createWantedImage(home.cell, clock)
    await wanted.write(wantedOf({ version: 8 }), { signal })
    await wanted.read({ signal })
    await createWantedImage(home.cell, clock).write(wantedOf({ version: 9 }), { signal })

    expect((await wanted.read({ signal }))?.version).toBe(8)
    await clock.advance(5001)
    expect((await wanted.read({ signal }))?.version).toBe(9)
  })

  test.each([
    ['a tag', { image: 'x.dkr.ecr.eu-central-1.amazonaws.com/berth:latest' }, 'sha256'],
    ['an image of another repository', { image: `elsewhere@${digest}` }, 'expected an image of'],
    ['a fence above the version', { fence: 8 }, 'fence'],
    ['a version that is no number', { version: 'new' as unknown as number }, 'version'],
  ])('refuses %s and keeps what there was', async (_, over, named) => {
    const wanted = createWantedImage(home.cell, clock)
    await wanted.write(wantedOf(), { signal })

    const message = await messageOf(wanted.write({ ...wantedOf(), ...over }, { signal }))

    expect(message).toContain('config_invalid: Parameter /berth/wanted-image')
    expect(message).toContain(named)
    expect(await wanted.read({ signal })).toEqual(wantedOf())
  })

  test("names of berths that could not be updated give way to pins, which are somebody's wish", async () => {
    const wanted = createWantedImage(home.cell, clock)
    const { image } = wantedOf()
    const until = '2027-01-01T00:00:00Z'
    const held = { berthId: ids.berthId(), image, reason: 'audit'.repeat(20), until }
    const reasons = Array.from({ length: 3 }, () => ({ reason: 'no '.repeat(50), berthIds: [ids.berthId()] }))
    const failed = { image, berths: 9, reasons }

    await wanted.write({ ...wantedOf(), failed, pins: [held] }, { signal })
    const roomy = await wanted.read({ signal })
    await wanted.write({ ...wantedOf(), failed, pins: Array.from({ length: 10 }, () => held) }, { signal })

    expect(roomy?.failed).toEqual(failed)
    expect((await wanted.read({ signal }))?.failed).toEqual({ ...failed, reasons: [] })
  })

  test('before the first image is none; spoilt or lost it is an error that names it', async () => {
    const { ssm } = home.cell.clients
    const Name = home.cell.foundation.wantedImageParameter
    const put = (Value: string) => ssm.send(new PutParameterCommand({ Name, Value, Type: 'String', Overwrite: true }))
    const read = () => createWantedImage(home.cell, clock).read({ signal })

    await put('{}')
    expect(await read()).toBeNull()
    await put('not JSON')
    expect(await messageOf(read())).toContain('expected JSON')
    const { Parameter } = await ssm.send(new GetParameterCommand({ Name }))
    await ssm.send(new DeleteParameterCommand({ Name }))
    expect(await messageOf(read())).toContain('berth init')
    await put(Parameter?.Value ?? '{}')
  })

  test('a fence that is raised while others change something else is not lost, and neither are they', async () => {
    const fence = 6
    const berthIds = Array.from({ length: 3 }, () => ids.berthId())
    const pinOf = (berthId: BerthId) => ({
      berthId,
      image: wantedOf().image,
      reason: 'audit',
      until: '2027-01-01T00:00:00Z',
    })
    await wantedImage().write(wantedOf(), { signal })

    await Promise.all([
      ...berthIds.map((berthId) => wantedImage().change((now) => pin(now ?? wantedOf(), pinOf(berthId)), { signal })),
      wantedImage().change((now) => raiseFence(now ?? wantedOf(), fence), { signal }),
    ])

    const wanted = await wantedImage().read({ signal })
    expect(wanted?.fence).toBe(fence)
    expect(wanted?.pins?.map(({ berthId }) => berthId).toSorted()).toEqual(berthIds.toSorted())
  })

  test('is asked for again after AWS did not answer', async () => {
    const wanted = createWantedImage(home.cell, clock)
    const refusal = { status: 403, code: 'AccessDeniedException', message: 'no' }
    aws.control.fault({ kind: 'error', action: 'GetParameter', error: refusal })

    expect(await messageOf(wanted.read({ signal }))).toContain('refused GetParameter')
    expect(await messageOf(wanted.read({ signal }))).not.toContain('refused')
  })
})

/** AWS's answers with other numbers than the emulator's. */
const withAnswers = (answers: { stackLimit: number; roles: number; rolesQuota: number }) => {
  const clients = {
    cloudFormation: answerOf({ AccountLimits: [{ Name: 'StackLimit', Value: answers.stackLimit }] }),
    iam: answerOf({ SummaryMap: { Roles: answers.roles, RolesQuota: answers.rolesQuota } }),
    lambda: answerOf({ AccountLimit: { ConcurrentExecutions: 1000, UnreservedConcurrentExecutions: 900 } }),
  }
  return { ...home.cell, clients: { ...home.cell.clients, ...clients } as unknown as CellClients }
}

describe('quotas', () => {
  const asked = { priority: 'rollout', signal } as const

  test('the scarcer one decides how many berths still fit and is the one to raise', async () => {
    const cell = withAnswers({ stackLimit: 2000, roles: 800, rolesQuota: 1000 })

    const quotas = await readQuotas(cell, 700, asked)

    expect(quotas).toMatchObject({ berthsLeft: 200, raiseFirst: { name: 'IAM roles' }, concurrency: 1000 })
    expect(await readQuotas(cell, 1999, asked)).toMatchObject({
      berthsLeft: 1,
      raiseFirst: { name: 'CloudFormation stacks' },
    })
  })

  test('what is overdrawn leaves none', async () => {
    expect((await readQuotas(withAnswers({ stackLimit: 10, roles: 0, rolesQuota: 1000 }), 12, asked)).berthsLeft).toBe(
      0,
    )
  })

  test('concurrency counts where every berth reserves some', async () => {
    const cell = withAnswers({ stackLimit: 9000, roles: 0, rolesQuota: 9000 })
    const reserving = { ...cell, functions: { ...cell.functions, reservedConcurrency: 5 } }

    const quotas = await readQuotas(reserving, 20, asked)

    expect(quotas).toMatchObject({ berthsLeft: 160, raiseFirst: { name: 'Reserved concurrency, in berths' } })
  })

  test('are read from the stand-in too', async () => {
    expect((await readQuotas(home.cell, 1, asked)).berthsLeft).toBeGreaterThan(0)
  })
})
