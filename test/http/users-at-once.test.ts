import { randomBytes, randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signHook } from '../../scripts/signed-hook.ts'
import { type PostgresServer, startPostgres } from '../support/postgres.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'

const secret = `whsec_${randomBytes(32).toString('base64')}`
const CAP = 3
const times = <T>(count: number, make: (at: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, at) => make(at))

const hook = (at: RunningServer, type: 'user.created' | 'user.deleted', uid: string, id: string = randomUUID()) =>
  at.call('POST', '/v1/hooks/identity', signHook({ secret, id, payload: { type, data: { project: 'demo', uid } } }))
const created = (at: RunningServer): number => at.events.filter(({ code }) => code === 'tenant.signed_up').length
const folders = async (at: RunningServer): Promise<number> => (await readdir(join(at.dataDir, 'berths'))).length

/** Through HTTP, for between the store, which has tests of its own, and the caller lies the part that makes berths. */
const describeUsersAtOnce = (store: () => Promise<Record<string, string>>): void => {
  let server: RunningServer
  let small: RunningServer
  beforeAll(async () => {
    const env = { BERTH_HOOK_SECRETS: secret, BERTH_SPARES: '0' }
    server = await startServer({ ...env, ...(await store()) })
    small = await startServer({ ...env, ...(await store()), BERTH_MAX_BERTHS_PER_PROJECT: String(CAP) })
  })
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
    await small?.[Symbol.asyncDispose]()
  })

  const run = (uid: string) => server.as(uid)('POST', '/v1/runs', { json: { language: 'python', code: '6 * 7' } })

  test('20 hooks, one event ten times and 20 first runs of one user at once end with one tenant and one berth', async () => {
    const [before, berths] = [created(server), await folders(server)]
    const [hooks, repeated, runs] = await Promise.all([
      Promise.all(times(20, () => hook(server, 'user.created', 'one'))),
      Promise.all(times(10, () => hook(server, 'user.created', 'one', 'evt_once'))),
      Promise.all(times(20, () => run('one'))),
    ])

    expect(new Set([...hooks, ...repeated].map(({ status }) => status))).toEqual(new Set([202]))
    expect(new Set([...hooks, ...repeated].map(({ body }) => body.tenantId)).size).toBe(1)
    expect(runs.map(({ status, body }) => [status, body.status])).toEqual(times(20, () => [200, 'succeeded']))
    expect([created(server) - before, (await folders(server)) - berths]).toEqual([1, 1])
  })

  test('sign-ups, first calls and deletions that cross leave nobody with half a berth', async () => {
    const berths = await folders(server)
    const uids = times(8, (at) => `crossed-${at}`)
    const answers = await Promise.all(
      uids.flatMap((uid) => [
        hook(server, 'user.created', uid),
        server.as(uid)('PUT', '/v1/files/a', { body: 'a' }),
        hook(server, 'user.deleted', uid),
        hook(server, 'user.created', uid),
        hook(server, 'user.deleted', uid),
      ]),
    )
    const late = await Promise.all(uids.map((uid) => hook(server, 'user.created', uid)))
    const tenants = late.map(({ body }) => body.tenantId as string)
    const stateOf = async (id: string) => (await server.operator('GET', `/v1/tenants/${id}`)).body.state

    // A first call that a deletion overtakes is told to come again, or that the tenant is gone.
    const odd = answers.filter(({ status, body }) => ![201, 202, 410].includes(status) && !body.retryable)
    expect(odd).toEqual([])
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(uids.length * 4)
    expect(late.map(({ body }) => body.outcome)).toEqual(uids.map(() => 'tombstone'))
    await expect.poll(() => Promise.all(tenants.map(stateOf))).toEqual(uids.map(() => 'deleted'))
    await expect.poll(() => folders(server)).toBe(berths)
  })

  test('the share of a project holds when hooks and first calls of many users race for it', async () => {
    const answers = await Promise.all([
      ...times(8, (at) => hook(small, 'user.created', `hooked-${at}`)),
      ...times(8, (at) => small.as(`calling-${at}`)('PUT', '/v1/files/a', { body: 'a' })),
    ])
    const refused = answers.filter(({ status }) => status >= 400)

    expect([created(small), refused.length]).toEqual([CAP, 16 - CAP])
    expect(new Set(refused.map(({ status, body }) => `${status} ${body.code}`))).toEqual(
      new Set(['503 berth_cap_reached']),
    )
    expect(refused.every(({ headers }) => Number(headers.get('retry-after')) > 0)).toBe(true)
  })
}

describe('many at once, on SQLite', () => {
  describeUsersAtOnce(async () => ({}))
})

describe('many at once, on Postgres', { tags: ['postgres'] }, () => {
  let postgres: PostgresServer
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres?.[Symbol.asyncDispose]())
  describeUsersAtOnce(async () => ({ DATABASE_URL: await postgres.createDatabase() }))
})
