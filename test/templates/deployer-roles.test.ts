import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { BerthId } from '../../src/domain/ids.ts'
import { arbitraryBerthId, arn, roleOf, type Settings, swap } from './cell.ts'
import {
  escalationsOf,
  notARollouts,
  notTheServers,
  pushWork,
  rolloutWorkOf,
  serverWorkOf,
  stackWorkOf,
} from './deployer-requests.ts'
import { anything } from './policies.ts'
import { labels, letThrough, type Request } from './simulate.ts'

const id = 'baaaaaaaaaaaaaaa' as BerthId
const gitHub = { foundation: { GitHubRepository: 'example/app' } }
type Row = readonly [string, Settings, (id: BerthId) => readonly Request[], (id: BerthId) => readonly Request[]]
const roles: readonly Row[] = [
  [
    'StackRole',
    {},
    stackWorkOf,
    (id) => [
      { label: 'invoke a function', action: 'lambda:InvokeFunction', resource: arn.function(`berth-${id}`) },
      { label: 'make any function', action: 'lambda:CreateFunction', resource: arn.function('berth-other') },
      { label: 'make a log group elsewhere', action: 'logs:CreateLogGroup', resource: arn.logGroup('/aws/lambda/x') },
      { label: 'read a file', action: 's3:GetObject', resource: arn.object(`berths/${id}/files/a`) },
      { label: 'push an image', action: 'ecr:PutImage', resource: arn.repository('berth-foundation-repository') },
    ],
  ],
  ['ServerRole', {}, serverWorkOf, notTheServers],
  ['RolloutRole', {}, rolloutWorkOf, (id) => [...notARollouts(id), ...pushWork]],
  ['GitHubRole', gitHub, (id) => [...rolloutWorkOf(id), ...pushWork], notARollouts],
]

test.each(roles)('%s may do its work, and none of what leads further', async (role, settings, work, excesses) => {
  const caller = roleOf(role, settings)
  await fc.assert(
    fc.asyncProperty(arbitraryBerthId, async (id) => {
      expect(await letThrough(caller, work(id))).toEqual(labels(work(id)))
      expect(await letThrough(caller, [...escalationsOf(id), ...excesses(id)])).toEqual([])
    }),
    { numRuns: 5 },
  )
})

test('with a VPC, CloudFormation makes no function outside it', async () => {
  const caller = roleOf('StackRole', { foundation: { Vpc: 'true' } })
  const make = { action: 'lambda:CreateFunction', resource: arn.function('berth-baaaaaaaaaaaaaaa') }
  const requests: readonly Request[] = [
    { label: 'inside', ...make, context: { 'lambda:VpcIds': 'network' } },
    { label: 'in another VPC', ...make, context: { 'lambda:VpcIds': 'vpc-0f' } },
    { label: 'in none', ...make },
  ]

  expect(await letThrough(caller, requests)).toEqual(['inside'])
})

test.each(['StackRole', 'ServerRole'])('even a %s that is given everything loosens no boundary', async (role) => {
  const caller = roleOf(role)
  const loosening = escalationsOf(id).filter(({ label }) => /boundary$|attach|tag a role with|untag/.test(label))
  const kept = loosening.filter(({ action }) => action !== 'iam:CreateRole' && action !== 'iam:PutRolePolicy')
  const everything = { ...caller, policies: [...caller.policies, anything] }

  expect(labels(kept)).toContain('drop a boundary')
  expect(labels(kept)).toContain('rewrite the boundary')
  expect(await letThrough(everything, kept)).toEqual([])
  expect(await letThrough({ ...caller, policies: [anything] }, kept)).toEqual(labels(kept))
})

// Controls: with one protection out, the list above must see it.
const controls: readonly (readonly [string, string, [string, string], readonly string[]])[] = [
  [
    'the condition on the boundary',
    'StackRole',
    [
      "ArnEquals: { 'iam:PermissionsBoundary': !Ref Boundary }",
      "ArnNotEquals: { 'iam:PermissionsBoundary': arn:aws:iam::1:policy/x }",
    ],
    ['make a role without the boundary', 'make a role with another boundary', 'widen a role without the boundary'],
  ],
  [
    'the condition on whom a role is passed to',
    'StackRole',
    ["StringEquals: { 'iam:PassedToService': lambda.amazonaws.com }", "StringLike: { 'iam:PassedToService': '*' }"],
    ['pass a berth’s role to EC2'],
  ],
  [
    'the Deny of wildcards in tags',
    'StackRole',
    ["['*${*}*', '*${?}*']", '[never]'],
    ['tag a role with a star', 'tag a role with question marks'],
  ],
  [
    'the exact length of a berth’s id',
    'ServerRole',
    ['-b???????????????', '-b*'],
    [
      'neighbour: invoke',
      'neighbour: read a function',
      'neighbour: update a function',
      'neighbour: read a stack',
      'neighbour: read the foundation',
      'neighbour: delete a stack',
    ],
  ],
  [
    'the condition on the stack role',
    'ServerRole',
    [
      "ArnEquals: { 'cloudformation:RoleArn': !GetAtt StackRole.Arn }",
      "ArnNotEquals: { 'cloudformation:RoleArn': arn:aws:iam::1:role/x }",
    ],
    ['make a stack without the stack role', 'make a stack with another role'],
  ],
  ['the berths’ prefix', 'ServerRole', ["'${Bucket.Arn}/berths/*'", "'${Bucket.Arn}/*'"], ['read beside the berths']],
]

test.each(controls)('control: without %s, %s goes further', async (_, role, [piece, other], expected) => {
  const caller = roleOf(role, { tamperFoundation: swap(piece, other) })

  expect(await letThrough(caller, [...escalationsOf(id), ...notTheServersIf(role)])).toEqual(expected)
})

const notTheServersIf = (role: string): readonly Request[] => (role === 'ServerRole' ? notTheServers(id) : [])
