// @module-tag aws-local
import { DescribeStacksCommand } from '@aws-sdk/client-cloudformation'
import { DeleteBucketPolicyCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createCellClients } from '../../../src/aws/clients.ts'
import { openCell } from '../../../src/aws/open-cell.ts'
import { readQuotas } from '../../../src/aws/quotas.ts'
import { createWantedImage } from '../../../src/aws/wanted-image.ts'
import { createStackBerths } from '../../../src/backends/lambda/stack-berths.ts'
import { createRandomIds } from '../../../src/main/random-ids.ts'
import { createSystemClock } from '../../../src/main/system-clock.ts'
import { codeOf, collect, quiet } from '../../contract/content.ts'
import { ownerOf } from '../../support/owner-of.ts'
import { type AwsCell, openAwsCell, quickPoll } from '../../support/aws-cell.ts'
import { type AwsLocal, startAwsLocal } from '../../support/aws-local.ts'

const clock = createSystemClock()
const signal = quiet()
let aws: AwsLocal
let home: AwsCell
beforeAll(async () => {
  aws = await startAwsLocal()
  home = await openAwsCell(aws)
  // It refuses whatever comes without TLS, and the stand-in has none.
  await home.cell.clients.s3.send(new DeleteBucketPolicyCommand({ Bucket: home.cell.foundation.bucket }))
})
afterAll(async () => {
  await home?.[Symbol.asyncDispose]()
  await aws?.[Symbol.asyncDispose]()
})

const outputOf = async (key: string): Promise<string> => {
  const { Stacks } = await home.cell.clients.cloudFormation.send(
    new DescribeStacksCommand({ StackName: 'berth-foundation' }),
  )
  return Stacks?.[0]?.Outputs?.find(({ OutputKey }) => OutputKey === key)?.OutputValue ?? ''
}

/**
 * A server that has nothing but that role of the foundation. The emulator does not know the condition key cloudformation:RoleArn, so
 * CloudFormation is asked as root, and it overlooks the path of roles, so nobody is suspended; both are tested by simulation.
 */
const openAs = async (roleArn: string) => {
  const { name, region, deployment, pacer } = home.cell
  const own = createCellClients({ region, deployment, roleArn })
  const clients = { ...own, cloudFormation: home.cell.clients.cloudFormation }
  const cell = await openCell({ name, region, deployment, clients, pacer, signal })
  const wantedImage = createWantedImage(cell, clock)
  const berths = createStackBerths({ cell, clock, wantedImage }, { pollMs: quickPoll })
  return { cell, berths, [Symbol.dispose]: () => own[Symbol.dispose]() }
}

test('the server’s own role suffices to look at a berth, list it and destroy it', async () => {
  using server = await openAs(await outputOf('ServerRoleArn'))
  const { berths, cell } = server
  const berthId = createRandomIds(clock).berthId()

  await berths.create(berthId, { signal })
  await berths.create(berthId, { signal })
  expect(await berths.find(berthId, { signal })).toEqual({ berthId, partial: false })
  expect(await collect(berths.list({ signal }))).toContainEqual(expect.objectContaining({ berthId, partial: false }))
  expect(await berths.standing(berthId, { signal })).toBe('running')
  expect(await berths.drift?.(berthId, { signal })).toEqual([])
  await berths.owners.record(ownerOf(berthId), { signal })
  expect((await berths.owners.trace(berthId, { signal })).kind).toBe('owned')
  expect(await berths.upgrade(berthId, { signal })).toBe('unchanged')
  expect((await readQuotas(cell, 1, { priority: 'rollout', signal })).berthsLeft).toBeGreaterThan(0)
  await berths.destroy(berthId, { signal })

  expect(await berths.find(berthId, { signal })).toBeNull()
})

test('the rollout’s role cannot suspend a berth, so it is the policy that decides', async () => {
  const berthId = createRandomIds(clock).berthId()
  await createStackBerths({ ...home, clock }, { pollMs: quickPoll }).create(berthId, { signal })
  using rollout = await openAs(await outputOf('RolloutRoleArn'))

  expect(await codeOf(rollout.berths.suspend(berthId, { signal }))).toBe('backend_unavailable')
})
