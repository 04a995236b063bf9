import { expect, test } from 'vitest'
import { json, problem, startScriptedServer, type Step } from '../client/scripted-server.ts'
import { berth } from './berth-process.ts'

const TENANT = 'taaaaaaaaaaaaaaa'
const [OLD, NEW] = ['baaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb']
const berthIn = (state: string, lastError: string | null = null) => ({
  id: NEW,
  state,
  backend: 'lambda-shared',
  lastError,
})
const tenantIn = (id: string) => json(200, { id: TENANT, berth: { id, backend: 'lambda-shared' } })

const move = async (steps: readonly Step[], ...more: readonly string[]) => {
  await using server = await startScriptedServer(steps)
  const env = { BERTH_URL: server.baseUrl, BERTH_KEY: 'berth_x' }
  const ended = await berth(['tenants', 'move', TENANT, '--to', 'lambda-shared', ...more], { env })
  return { ...ended, received: server.received }
}

test('it waits until the new berth is the tenant’s own', async () => {
  const started = json(202, berthIn('provisioning'))
  const onItsWay = json(200, berthIn('provisioning'))

  const { code, stdout, received } = await move([started, tenantIn(OLD), onItsWay, tenantIn(NEW)])

  expect({ code, stdout }).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`in berth ${NEW} on lambda-shared`),
  })
  expect(received.map(({ method, path }) => `${method} ${path}`)).toEqual([
    `POST /v1/tenants/${TENANT}/move`,
    `GET /v1/tenants/${TENANT}`,
    `GET /v1/tenants/${TENANT}/move`,
    `GET /v1/tenants/${TENANT}`,
  ])
  expect(JSON.parse(received[0]?.body ?? '')).toEqual({ to: 'lambda-shared', deleteFiles: false })
})

test('a berth that could not be made is told with its reason, and the exit code says so', async () => {
  const failed = json(200, berthIn('deprovisioning', 'provisioning_failed: no function berth-shared'))

  const { code, stderr } = await move([json(202, berthIn('provisioning')), tenantIn(OLD), failed, tenantIn(OLD)])

  expect(code).toBe(75)
  expect(stderr).toContain('the tenant stays where it was: provisioning_failed: no function berth-shared')
})

test('the switch between two questions is no failure', async () => {
  const { code } = await move([
    json(202, berthIn('provisioning')),
    tenantIn(OLD),
    problem(404, 'not_found'),
    tenantIn(NEW),
  ])

  expect(code).toBe(0)
})

test('--async only starts it, and --delete-files says that files may go', async () => {
  const { code, stdout, received } = await move([json(202, berthIn('provisioning'))], '--async', '--delete-files')

  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('is being made') })
  expect(JSON.parse(received[0]?.body ?? '')).toEqual({ to: 'lambda-shared', deleteFiles: true })
})

test('another target is refused before anything is asked', async () => {
  const { code, stderr } = await berth(['tenants', 'move', TENANT, '--to', 'moon'])

  expect(code).toBe(2)
  expect(stderr).toContain('--to: expected lambda or lambda-shared, got "moon"')
})
