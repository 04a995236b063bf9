import { expect, test } from 'vitest'
import type { BerthId } from '../../src/domain/ids.ts'
import { arn, berthOf, foundationOf } from './cell.ts'
import { type Policy, trustOf } from './policies.ts'
import { ACCOUNT, REGION } from './resolve-template.ts'
import { isAllowed } from './simulate.ts'

const id = 'baaaaaaaaaaaaaaa' as BerthId
const server = `arn:aws:iam::${ACCOUNT}:role/app/server`

const mayAssume = (
  trust: Policy,
  principal: string,
  context: Readonly<Record<string, string>> = {},
): Promise<boolean> =>
  isAllowed(
    { principal, policies: [], resourcePolicy: trust },
    { label: principal, action: 'sts:AssumeRole', resource: arn.role('berth/x'), context },
  )

const functionArn = (name: string) => ({ 'aws:SourceArn': `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}` })

test('a berth’s role is for Lambda alone, and for its own function where Lambda says which one it is', async () => {
  const trust = trustOf(berthOf(id, foundationOf()), 'Role')

  expect(await mayAssume(trust, 'lambda.amazonaws.com')).toBe(true)
  expect(await mayAssume(trust, 'lambda.amazonaws.com', { 'aws:SourceAccount': ACCOUNT })).toBe(true)
  expect(await mayAssume(trust, 'lambda.amazonaws.com', functionArn(`berth-${id}`))).toBe(true)
  expect(await mayAssume(trust, 'lambda.amazonaws.com', { 'aws:SourceAccount': '999988887777' })).toBe(false)
  expect(await mayAssume(trust, 'lambda.amazonaws.com', functionArn('berth-bbbbbbbbbbbbbbbb'))).toBe(false)
  for (const other of ['ec2.amazonaws.com', 'cloudformation.amazonaws.com', server, `arn:aws:iam::${ACCOUNT}:root`])
    expect(await mayAssume(trust, other), other).toBe(false)
})

test('control: the conditions are what refuses another account and another function', async () => {
  const trust = trustOf(berthOf(id, foundationOf()), 'Role')
  const open: Policy = { ...trust, Statement: trust.Statement.map((statement) => ({ ...statement, Condition: {} })) }

  expect(await mayAssume(open, 'lambda.amazonaws.com', { 'aws:SourceAccount': '999988887777' })).toBe(true)
})

test('the role of stacks is for CloudFormation alone', async () => {
  const trust = trustOf(foundationOf(), 'StackRole')

  expect(await mayAssume(trust, 'cloudformation.amazonaws.com')).toBe(true)
  for (const other of ['lambda.amazonaws.com', server]) expect(await mayAssume(trust, other), other).toBe(false)
})

test.each(['ServerRole', 'RolloutRole'])(
  '%s is for the named principal alone, with the external id when one is set',
  async (role) => {
    const named = trustOf(foundationOf({ foundation: { ServerPrincipalArn: server } }), role)
    const withId = { ServerPrincipalArn: server, ServerExternalId: 'cell-2' }
    const guarded = trustOf(foundationOf({ foundation: withId }), role)

    expect(await mayAssume(named, server)).toBe(true)
    expect(await mayAssume(named, `arn:aws:iam::${ACCOUNT}:role/app/other`)).toBe(false)
    expect(await mayAssume(named, 'lambda.amazonaws.com')).toBe(false)
    expect(await mayAssume(guarded, server)).toBe(false)
    expect(await mayAssume(guarded, server, { 'sts:ExternalId': 'cell-3' })).toBe(false)
    expect(await mayAssume(guarded, server, { 'sts:ExternalId': 'cell-2' })).toBe(true)
  },
)

// The simulator does not know the claims of GitHub's tokens, so the document itself is read.
const gitHubTrust = (parameters: Readonly<Record<string, string>>) =>
  trustOf(foundationOf({ foundation: { GitHubRepository: 'example/app', ...parameters } }), 'GitHubRole').Statement

const claims = (subjects: readonly string[]) => ({
  StringEquals: {
    'token.actions.githubusercontent.com:aud': 'sts.amazonaws.com',
    'token.actions.githubusercontent.com:sub': subjects,
  },
})

test('GitHub’s role is for one repository and one branch, by name alone or by name and id', () => {
  const provider = `arn:aws:iam::${ACCOUNT}:oidc-provider/token.actions.githubusercontent.com`

  expect(gitHubTrust({})).toEqual([
    {
      Effect: 'Allow',
      Principal: { Federated: provider },
      Action: 'sts:AssumeRoleWithWebIdentity',
      Condition: claims(['repo:example/app:ref:refs/heads/main']),
    },
  ])
  const ids = { GitHubOwnerId: '12', GitHubRepositoryId: '345', GitHubSubject: 'environment:production' }
  expect(gitHubTrust(ids)[0]?.Condition).toEqual(
    claims(['repo:example/app:environment:production', 'repo:example@12/app@345:environment:production']),
  )
})

test('without a repository there is neither a role for GitHub nor its identity provider', () => {
  const ids = Object.keys(foundationOf({ foundation: { CreateGitHubProvider: 'true' } }).resources)

  expect(ids).not.toContain('GitHubRole')
  expect(ids).not.toContain('GitHubProvider')
  const asked = foundationOf({ foundation: { GitHubRepository: 'a/b', CreateGitHubProvider: 'true' } })
  expect(Object.keys(asked.resources)).toContain('GitHubProvider')
  expect(Object.keys(foundationOf({ foundation: { GitHubRepository: 'a/b' } }).resources)).not.toContain(
    'GitHubProvider',
  )
})
