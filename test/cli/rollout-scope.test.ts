import { expect, test } from 'vitest'
import { berth } from './berth-process.ts'

const rollout = async (...args: readonly string[]) => {
  const { code, stdout } = await berth(['rollout', ...args, '--json'], { env: { AWS_REGION: 'eu-west-1' } })
  return { code, error: JSON.parse(stdout).error }
}

const TENANT = `t${'a'.repeat(15)}`

test.each([
  ['that are none', ['--tenant', 'somebody'], 'expected the id of a tenant, got "somebody"'],
  ['without a store that knows them', ['--tenant', TENANT], '--tenant: expected DATABASE_URL, got none'],
  ['beside a share', ['--tenant', TENANT, '--percent', '5'], 'expected --percent or names, got both'],
])('a rollout for tenants %s is refused before AWS is asked', async (_, args, detail) => {
  const { code, error } = await rollout('start', ...args)

  expect(code).toBe(2)
  expect(error.detail).toContain(detail)
})

const held = ['--image', `r@sha256:${'a'.repeat(64)}`, '--reason', 'audit', '--until', '2099-01-31T00:00:00Z']
const BERTH = `b${'a'.repeat(15)}`

test.each([
  ['of nobody', ['pin', ...held], 'expected a berth or --tenant, got neither'],
  ['of a berth and a tenant', ['unpin', BERTH, '--tenant', TENANT], 'expected a berth or --tenant, got both'],
  ['of a tenant that is none', ['pin', '--tenant', 'somebody', ...held], 'expected the id of a tenant, got "somebody"'],
  ['of a tenant without a store', ['unpin', '--tenant', TENANT], '--tenant: expected DATABASE_URL, got none'],
  ['without a reason', ['pin', BERTH, '--until', '2099-01-31'], '--reason: expected 1 to 200 characters, got 0'],
  ['without an end', ['pin', BERTH, '--reason', 'audit'], '--until: expected a time to come, got none'],
  [
    'that ended',
    ['pin', BERTH, '--reason', 'a', '--until', '2020-01-31'],
    '--until: expected a time to come, got "2020-01-31"',
  ],
  [
    'with an end that is no time',
    ['pin', BERTH, '--reason', 'a', '--until', 'soon'],
    '--until: expected a time to come, got "soon"',
  ],
  ['of a berth that is none', ['pin', 'somewhere', ...held], 'expected the id of a berth, got "somewhere"'],
])('a pin %s is refused before AWS is asked', async (_, args, detail) => {
  const { code, error } = await rollout(...args)

  expect(code).toBe(2)
  expect(error.detail).toContain(detail)
})
