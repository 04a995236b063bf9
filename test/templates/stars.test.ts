import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { berthOf, foundationOf } from './cell.ts'
import { anything, listed, type Policy, type Statement } from './policies.ts'
import { ACCOUNT, type Resolved } from './resolve-template.ts'
import { isAllowed } from './simulate.ts'
import { stars } from './stars.ts'
import type { BerthId } from '../../src/domain/ids.ts'

const everything = {
  Vpc: 'true',
  GuardDuty: 'true',
  GitHubRepository: 'a/b',
  CreateGitHubProvider: 'true',
  AlarmEmail: 'a@example.com',
  ServerPrincipalArn: `arn:aws:iam::${ACCOUNT}:role/server`,
}
const foundation = foundationOf({ foundation: everything })
const stacks = { tenant: berthOf('baaaaaaaaaaaaaaa' as BerthId, foundation), foundation }

const isPolicy = (value: unknown): value is Policy =>
  typeof value === 'object' && value !== null && 'Statement' in value && 'Version' in value

const statementsIn = (value: unknown): readonly Statement[] => {
  if (isPolicy(value)) return value.Statement
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(statementsIn) : []
}

const starred = (stack: string, resolved: Resolved) =>
  Object.entries(resolved.resources).flatMap(([id, resource]) =>
    statementsIn(resource.Properties)
      .filter(
        (one) =>
          listed(one.Resource).includes('*') ||
          one.Principal === '*' ||
          JSON.stringify(one.Principal) === '{"AWS":"*"}',
      )
      .map((statement) => ({ name: `${stack} ${id} ${statement.Sid ?? '(no Sid)'}`, statement })),
  )
const found = Object.entries(stacks).flatMap(([stack, resolved]) => starred(stack, resolved))

test('every star in a policy is on the list, with its reason, and the list names no other', () => {
  expect(found.map(({ name }) => name).toSorted()).toEqual(Object.keys(stars).toSorted())
})

test('the README gives every star and its reason', () => {
  const readme = readFileSync(new URL('../../templates/README.md', import.meta.url), 'utf8')
  const missing = Object.entries(stars).filter(([name, reason]) => {
    const [stack = '', resource = '', sid = ''] = name.split(' ')
    return !readme.includes(`| ${stack} | ${resource} | ${sid} | ${reason} |`)
  })

  expect(missing).toEqual([])
})

const ask = (action: string, resource: string) =>
  isAllowed({ principal: `arn:aws:iam::${ACCOUNT}:role/x`, policies: [anything] }, { label: action, action, resource })

test('what is allowed on a star can be given no resource: AWS knows none for it', async () => {
  const allowed = found.filter(
    ({ statement }) => statement.Effect === 'Allow' && listed(statement.Resource).includes('*'),
  )
  const actions = allowed.flatMap(({ statement }) => listed(statement.Action))

  expect(actions.length).toBeGreaterThan(10)
  for (const action of actions) {
    expect(await ask(action, '*'), action).toBe(true)
    await expect(ask(action, 'arn:aws:s3:::some-bucket'), action).rejects.toThrow('must.use.wildcard')
  }
})

test('no statement allows an action by a star', () => {
  const all = Object.values(stacks).flatMap((resolved) => statementsIn(Object.values(resolved.resources)))
  const broad = all
    .filter((one) => one.Effect === 'Allow')
    .flatMap((one) => listed(one.Action).filter((action) => action.includes('*')))

  expect(all.length).toBeGreaterThan(40)
  expect(broad).toEqual([])
})

test('control: a star that nobody explained is seen', () => {
  const policy = {
    Version: '2012-10-17',
    Statement: [{ Sid: 'Sly', Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }],
  }
  const resolved = {
    resources: { R: { Type: 'AWS::IAM::ManagedPolicy', Properties: { PolicyDocument: policy } } },
    outputs: {},
  }

  expect(starred('tenant', resolved).map(({ name }) => name)).toEqual(['tenant R Sly'])
})
