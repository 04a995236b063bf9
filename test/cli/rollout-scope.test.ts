import { expect, test } from 'vitest'
import { berth } from './berth-process.ts'

const start = async (...args: readonly string[]) => {
  const { code, stdout } = await berth(['rollout', 'start', '--json', ...args], { env: { AWS_REGION: 'eu-west-1' } })
  return { code, error: JSON.parse(stdout).error }
}

const TENANT = `t${'a'.repeat(15)}`

test.each([
  ['that are none', ['--tenant', 'somebody'], 'expected the id of a tenant, got "somebody"'],
  ['without a store that knows them', ['--tenant', TENANT], '--tenant: expected DATABASE_URL, got none'],
  ['beside a share', ['--tenant', TENANT, '--percent', '5'], 'expected --percent or names, got both'],
])('a rollout for tenants %s is refused before AWS is asked', async (_, args, detail) => {
  const { code, error } = await start(...args)

  expect(code).toBe(2)
  expect(error.detail).toContain(detail)
})
