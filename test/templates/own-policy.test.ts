import { expect, test } from 'vitest'
import { NETWORK_POLICY, OWN_POLICY, ownPolicy, ownTrust } from '../../src/backends/lambda/own-policy.ts'
import { berthIdSchema } from '../../src/domain/ids.ts'
import { berthOf, foundationOf, type Settings, swap } from './cell.ts'
import { policiesOf, trustOf } from './policies.ts'
import { REGION } from './resolve-template.ts'

const berthId = berthIdSchema.parse('baaaaaaaaaaaaaaa')
const policiesIn = (settings: Settings = {}) => {
  const foundation = foundationOf(settings)
  const { BucketName: bucket = '', BoundaryArn: boundaryArn = '' } = foundation.outputs
  const cell = { region: REGION, deployment: 'berth', foundation: { bucket, boundaryArn } }
  const berth = berthOf(berthId, foundation, settings)
  const named = policiesOf(berth, 'Role')
  return {
    names: named.map(({ name }) => name),
    own: named[0]?.policy,
    wanted: ownPolicy(cell, berthId),
    trust: trustOf(berth, 'Role'),
    wantedTrust: ownTrust(cell, berthId),
  }
}

test('the policy that reconcile looks for is the one that the template gives', () => {
  const { names, own, wanted } = policiesIn()

  expect(names).toEqual([OWN_POLICY])
  expect(wanted).toEqual(own)
  expect(policiesIn({ foundation: { Vpc: 'true' } }).names).toEqual([OWN_POLICY, NETWORK_POLICY])
})

test('the trust that reconcile looks for is the one that the template gives', () => {
  const { trust, wantedTrust } = policiesIn()

  expect(wantedTrust).toEqual(trust)
})

test('a template that gives something else is noticed (control)', () => {
  const { own, wanted } = policiesIn({ tamperTenant: swap('Action: s3:GetObject', 'Action: s3:*') })
  const { trust, wantedTrust } = policiesIn({ tamperTenant: swap('Service: lambda.', 'Service: ec2.') })

  expect(wanted).not.toEqual(own)
  expect(wantedTrust).not.toEqual(trust)
})
