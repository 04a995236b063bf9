import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { berth, spawnBerth } from '../berth-process.ts'
import { startFront } from './front.ts'
import { people, person, type ReconcileSite, startReconcileSite } from './reconcile-site.ts'

const CAP = 16
let site: ReconcileSite
beforeAll(async () => {
  site = await startReconcileSite({ BERTH_MAX_BERTHS_PER_PROJECT: String(CAP) })
})
afterAll(() => site[Symbol.asyncDispose]())

type Project = ReturnType<ReconcileSite['project']>

const lineOf = ({ id }: Pick<Project, 'id'>, args: readonly string[]): readonly string[] =>
  ['reconcile', '--from', 'firebase', '--project', id].concat(args)
const envOf = (more: Readonly<Record<string, string>> = {}) => ({
  BERTH_URL: site.server.url,
  BERTH_KEY: site.server.operatorKey,
  FIREBASE_AUTH_EMULATOR_HOST: site.google.host,
  ...more,
})
const run = (project: Pick<Project, 'id'>, args: readonly string[], env = envOf()) =>
  berth(lineOf(project, args), { env })

const withLeaver = async (project = site.project([person('kept')])): Promise<Project> => {
  await project.signUp('kept')
  await project.signUp('leaver')
  return project
}

test('people read what there is to do, and what was done', async () => {
  const project = site.project([...people(2), { localId: 'anonymous' }])

  const dry = await run(project, ['--emulator'])
  const done = await run(project, ['--emulator', '--apply'])

  expect([dry.code, done.code]).toEqual([0, 0])
  expect(dry.stdout.split('\n').slice(0, 6)).toEqual([
    '3 users: 0 have a tenant, 2 have none, 0 were deleted here',
    'left out: 1 anonymous',
    '0 tenants made; 0 tenants have no user any more, 0 deleted',
    'missing:  user-00000',
    'missing:  user-00001',
    'nothing was changed; repeat it with --apply',
  ])
  expect(done.stdout).toContain('2 tenants made')
  expect(await project.uids()).toEqual(['user-00000', 'user-00001'])
})

test('an emulator that the environment names is not asked in place of Firebase; control: it is when it is meant', async () => {
  const project = await withLeaver()
  const everything = ['--apply', '--delete-gone']

  const refused = await run(project, everything)
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain('FIREBASE_AUTH_EMULATOR_HOST is set')
  expect(refused.stderr).toContain('--emulator')
  expect(project.calls()).toEqual([])
  expect(await project.uids()).toEqual(['kept', 'leaver'])

  expect((await run(project, [...everything, '--emulator'])).code).toBe(0)
  expect(await project.uids()).toEqual(['kept'])
})

test('an emulator that is meant must be named', async () => {
  const { code, stderr } = await run({ id: 'p' }, ['--emulator'], envOf({ FIREBASE_AUTH_EMULATOR_HOST: '' }))

  expect([code, stderr]).toEqual([2, expect.stringContaining('--emulator: expected FIREBASE_AUTH_EMULATOR_HOST')])
})

test('the tenants of a real project are not compared with an emulator to delete them', async () => {
  const project = await withLeaver(site.project([person('kept')], 'example-app'))

  const { code, stderr } = await run(project, ['--apply', '--emulator', '--delete-gone'])

  expect([code, stderr]).toEqual([2, expect.stringContaining('--project: expected one whose id starts with "demo-"')])
  expect(project.calls()).toEqual([])
  expect(await project.uids()).toEqual(['kept', 'leaver'])
})

test('without credentials nobody is deleted, and it says what to look at', async () => {
  const project = await withLeaver()
  const env = envOf({ FIREBASE_AUTH_EMULATOR_HOST: '', GOOGLE_APPLICATION_CREDENTIALS: '/nonexistent.json' })

  const { code, stderr } = await run(project, ['--apply', '--delete-gone'], env)

  expect(code).toBe(78)
  expect(stderr).toContain('app/invalid-credential')
  expect(stderr).toContain('GOOGLE_APPLICATION_CREDENTIALS')
  expect(await project.uids()).toEqual(['kept', 'leaver'])
})

test('what stops before its end exits with 3, says what was done, and how to go on', async () => {
  const project = site.project(people(CAP + 2))

  const forPeople = await run(project, ['--emulator', '--apply'])
  const forPrograms = await run(project, ['--emulator', '--apply', '--json'])

  expect([forPeople.code, forPrograms.code]).toEqual([3, 3])
  expect(forPeople.stdout).toContain(`${CAP} tenants made`)
  expect(forPeople.stdout).toContain('stopped before its end; start the same command again')
  expect(forPeople.stderr).toContain('BERTH_MAX_BERTHS_PER_PROJECT')
  expect(JSON.parse(forPrograms.stdout)).toMatchObject({
    existing: CAP,
    missing: 2,
    created: 0,
    stopped: { code: 'berth_cap_reached' },
  })
})

test('killed halfway and started again it makes everybody, and nobody twice', async () => {
  const project = site.project(people(14))
  let creations = 0
  await using front = await startFront(site.server.url, ({ method, url }) => {
    if (method === 'POST' && url === '/v1/tenants' && (creations += 1) === 7) child.kill('SIGKILL')
    return creations <= 6
  })
  const child = spawnBerth(lineOf(project, ['--emulator', '--apply']), { env: envOf({ BERTH_URL: front.url }) })
  const [, signal] = (await once(child, 'close')) as [number | null, string | null]
  // What had been passed on when it was killed is still being made.
  await expect.poll(() => project.uids()).toHaveLength(6)

  const again = await run(project, ['--emulator', '--apply', '--json'])

  expect(signal).toBe('SIGKILL')
  expect(JSON.parse(again.stdout)).toMatchObject({ existing: 6, created: 8, stopped: null })
  expect(await project.uids()).toEqual(people(14).map(({ localId }) => localId))
})

test('Ctrl-C ends it with 130 and what was done until then', async () => {
  const project = site.project(people(14))
  let creations = 0
  await using front = await startFront(site.server.url, ({ method, url }) => {
    if (method === 'POST' && url === '/v1/tenants' && (creations += 1) === 7) child.kill('SIGINT')
    return creations <= 6
  })
  const child = spawnBerth(lineOf(project, ['--emulator', '--apply', '--json']), {
    env: envOf({ BERTH_URL: front.url }),
  })
  const [stdout, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])

  expect(code).toBe(130)
  expect(JSON.parse(stdout)).toMatchObject({ missing: 14, stopped: { code: 'interrupted' } })
  expect((JSON.parse(stdout) as { created: number }).created).toBeLessThanOrEqual(6)
})

test.each([
  [['--from', 'nobody', '--project', 'p'], '--from: expected firebase'],
  [['--from', 'firebase'], '--project: expected the id'],
  [['--from', 'firebase', '--project', 'p', '--deep'], '--deep has no meaning'],
  [['--from', 'firebase', '--project', 'p', '--per-minute', '0'], '--per-minute: expected a whole number'],
])('reconcile %j is a fault of the caller', async (args, says) => {
  const { code, stderr } = await berth(['reconcile', ...args], { env: envOf({ FIREBASE_AUTH_EMULATOR_HOST: '' }) })

  expect([code, stderr]).toEqual([2, expect.stringContaining(says)])
})
