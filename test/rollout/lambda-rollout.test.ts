// @module-tag aws-local
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BAD_IMAGES } from '../../scripts/aws-local/bad-images.ts'
import type { ImageContent } from '../../scripts/aws-local/images.ts'
import type { Fleet } from '../../src/domain/ports/fleet.ts'
import { createLambdaDispatch } from '../../src/backends/lambda/lambda-dispatch.ts'
import { createLambdaFleet } from '../../src/backends/lambda/lambda-fleet.ts'
import { createStackBerths } from '../../src/backends/lambda/stack-berths.ts'
import { createStoreActivity } from '../../src/main/deployment/store-activity.ts'
import { createRandomIds } from '../../src/main/random-ids.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'
import { defaultRolloutSettings } from '../../src/rollout/rollout-options.ts'
import { createProbe } from '../../src/rollout/probe-runs.ts'
import { runRollout } from '../../src/rollout/run-rollout.ts'
import { raiseFence, resume } from '../../src/rollout/wanted-changes.ts'
import { berth, spawnBerth } from '../cli/berth-process.ts'
import { collect, quiet } from '../contract/content.ts'
import { openAwsCell, quickPoll } from '../support/aws-cell.ts'
import { type AwsLocal, startAwsLocal } from '../support/aws-local.ts'
import { createEventLog } from '../support/event-log.ts'
import { startServer } from '../support/running-server.ts'

const clock = createSystemClock()
const ids = createRandomIds(clock)
/** How long a server may go by the fence it has read. */
const FENCE_TTL_MS = 5000
const version3: ImageContent = { kind: 'runner', version: 3, profile: 'evaluator' }

let aws: AwsLocal
beforeAll(async () => {
  aws = await startAwsLocal()
})
afterAll(() => aws?.[Symbol.asyncDispose]())

/** A cell on version 2, which is that of the runner here. */
const openCellOn2 = async (deployment: string) => {
  const home = await openAwsCell(aws, { deployment })
  const signal = quiet()
  await home.wantedImage.write({ image: home.image, version: 2, fence: 0 }, { signal })
  const repository = home.cell.foundation.repositoryUri.split('/').slice(1).join('/')
  const image = (tag: string, content: ImageContent) => aws.image(tag, content, repository)
  const fleet = createLambdaFleet(home.cell, { clock, ids })
  const images = async () => (await collect(fleet.list({ signal: quiet() }))).map((member) => member.image)
  return { ...home, first: home.image, fleet, images, image }
}

test('a bad image is stopped in its ring and undone; the next one, once interrupted, reaches everybody', async () => {
  await using home = await openCellOn2('bad')
  const berths = createStackBerths({ ...home, clock }, { pollMs: quickPoll })
  await Promise.all(Array.from({ length: 6 }, () => berths.create(ids.berthId(), { signal: quiet() })))
  const folder = await mkdtemp(join(tmpdir(), 'berth-rollout-'))
  const summary = join(folder, 'summary.md')
  const rollout = async (...args: readonly string[]) => {
    const env = { ...aws.env, GITHUB_STEP_SUMMARY: summary }
    const ended = await berth(['rollout', ...args, '--deployment', 'bad', '--json'], { env })
    return { ...ended, answer: JSON.parse(ended.stdout) }
  }
  const start = (image: string, ...flags: readonly string[]) =>
    rollout('start', '--image', image, '--image-version', '3', '--settle-seconds', '1', ...flags)
  const untimed = ['--slow-factor', 'off']

  const bad = await start(await home.image('bad', BAD_IMAGES.crashesAtStart), '--roll-back', ...untimed)
  const restored = await home.images()
  const next = await home.image('good', version3)
  const interrupted = await interruptInUpdate([
    '--deployment',
    'bad',
    '--image',
    next,
    '--image-version',
    '3',
    ...untimed,
  ])
  const good = await start(next)
  const status = await rollout('status')
  const elsewhere = ids.berthId()
  const named = await rollout('start', '--berth', elsewhere, '--dry-run')
  const until = '2099-01-01T00:00:00Z'
  const pinned = await rollout('pin', elsewhere, '--image', next, '--reason', 'their audit', '--until', until)
  const tooHigh = await rollout('fence', '4')
  const text = await readFile(summary, 'utf8')
  await rm(folder, { recursive: true })

  expect([bad.code, bad.answer.state, bad.answer.updated], bad.stderr).toEqual([4, 'rolled_back', 5])
  expect(bad.answer.reason).toMatch(/^self-test of 5 of 5 failed/)
  expect(restored).toEqual(Array.from({ length: 6 }, () => home.first))
  expect(interrupted).toBe(130)
  expect([good.code, good.answer.state], good.stderr).toEqual([0, 'done'])
  expect(status.answer).toMatchObject({ target: { version: 3 }, offered: true, images: [{ version: 3, berths: 6 }] })
  expect([named.code, named.answer.error.detail]).toEqual([2, `Not in this cell: ${elsewhere}`])
  expect([pinned.code, pinned.answer.error.code]).toEqual([2, 'not_found'])
  expect([tooHigh.code, tooHigh.answer.error.code]).toEqual([2, 'conflict'])
  expect(text).toContain('rolled back')
  expect(text).toMatch(/\| 6 \| \d \| 0 \| 0 \| 0 \|/)
})

/** Ctrl-C while Lambda is asked for an update. */
const interruptInUpdate = async (flags: readonly string[]): Promise<number | null> => {
  using fault = aws.control.fault({ kind: 'hold', action: 'UpdateFunctionCode' })
  const child = spawnBerth(['rollout', 'start', ...flags], { env: aws.env })
  child.stdout.resume()
  child.stderr.resume()
  const ended = once(child, 'close')
  await fault.firstFired
  child.kill('SIGINT')
  const [code] = (await ended) as [number | null]
  fault.release()
  return code
}

test('an image that passes self-tests and probes, and fails what tenants run, stops in the ring and is undone', async () => {
  await using home = await openCellOn2('spoiled')
  const cells = JSON.stringify([{ name: 'home', region: home.cell.region, deployment: 'spoiled' }])
  await using server = await startServer({
    BERTH_BACKEND: 'lambda',
    BERTH_CELLS: cells,
    BERTH_SPARES: '0',
    BERTH_RATE_PER_MINUTE: '6000',
    BERTH_PYTHON: '/nowhere/python',
  })
  const tenants = Array.from({ length: 5 }, (_, index) => `tenant-${index}`)
  const runAll = async (): Promise<readonly string[]> => {
    const json = { language: 'python', code: '"theirs"' }
    const answers = await Promise.all(tenants.map((tenant) => server.as(tenant)('POST', '/v1/runs', { json })))
    return answers.map(({ body }) => body.status)
  }
  const before = await runAll()
  const activity = createStoreActivity(server.composed.store)
  const recorded = async (): Promise<number> => {
    const rows = await activity.runsSince(new Date(0), { signal: quiet() })
    return rows.reduce((sum, { runs }) => sum + runs, 0)
  }
  const watchMs = 77_777
  const seen: string[] = []
  // Tenants go on while the ring is watched.
  const watching = {
    ...clock,
    sleep: async (ms: number, signal: AbortSignal): Promise<void> => {
      if (ms !== watchMs) return clock.sleep(ms, signal)
      for (let again = 0; again < 4; again += 1) seen.push(...(await runAll()))
      await expect.poll(recorded).toBe(before.length + seen.length)
    },
  }
  const bad: ImageContent = { ...version3, failsOn: 'theirs' }
  const target = { image: await home.image('spoiled', bad), version: 3 }
  const wanted = () => home.wantedImage.read({ signal: quiet() })
  const probing = createLambdaDispatch(home.cell, { clock, events: createEventLog(), wanted, maxConcurrency: 2 })
  const touched = new Set<string>()
  const fleet: Fleet = {
    ...home.fleet,
    update: async (berthId, image, options) => {
      if (image === target.image) touched.add(berthId)
      return home.fleet.update(berthId, image, options)
    },
  }
  const deps = {
    fleet,
    wanted: home.wantedImage,
    activity,
    probe: createProbe(probing, ids),
    clock: watching,
    ids,
    events: createEventLog(),
  }
  const small = { ringLeast: 2, leastRuns: 5, watchMs, creationMs: 0, selfTestMs: 120_000 }

  const report = await runRollout(deps, {
    target,
    settings: { ...defaultRolloutSettings, ...small },
    scope: { kind: 'all' },
    onUnhealthy: 'roll_back',
    dryRun: false,
    signal: quiet(),
  })

  expect(report).toMatchObject({ state: 'rolled_back', failed: [] })
  expect(report.reason).toBe('the platform failed 8 of 8 runs on the new image, and 0 of 12 on the old')
  expect(touched.size).toBe(small.ringLeast)
  expect(await home.images()).toEqual(tenants.map(() => home.first))
  // Control: before and after it the same code succeeds.
  expect(new Set([...before, ...(await runAll())])).toEqual(new Set(['succeeded']))
})

test('an image that answers, but slowly, stops in the ring and is undone', async () => {
  await using home = await openCellOn2('slow')
  const berths = createStackBerths({ ...home, clock }, { pollMs: quickPoll })
  await Promise.all(Array.from({ length: 3 }, () => berths.create(ids.berthId(), { signal: quiet() })))
  const slow: ImageContent = { ...version3, slow: { on: 'print("probe")', ms: 4000 } }
  const target = { image: await home.image('slow', slow), version: 3 }
  const wanted = () => home.wantedImage.read({ signal: quiet() })
  const dispatch = createLambdaDispatch(home.cell, { clock, events: createEventLog(), wanted, maxConcurrency: 8 })
  const probe = createProbe(dispatch, ids)
  const deps = { ...home, wanted: home.wantedImage, activity: null, probe, clock, ids, events: createEventLog() }
  const small = { ringLeast: 1, timedRuns: 1, slowFactor: 2, creationMs: 0, selfTestMs: 120_000 }
  const options = { scope: { kind: 'all' }, onUnhealthy: 'roll_back', dryRun: false, signal: quiet() } as const

  const report = await runRollout(deps, { ...options, target, settings: { ...defaultRolloutSettings, ...small } })

  expect(report).toMatchObject({ state: 'rolled_back', updated: 1, failed: [] })
  expect(report.reason).toMatch(/^answers in \d+\.\d s at the median of the ring, the old image in /)
  expect(await home.images()).toEqual(Array.from({ length: 3 }, () => home.first))
})

test('whatever a bad image does instead of answering, one tenant has it for a moment and no other', async () => {
  await using home = await openCellOn2('worse')
  const berths = createStackBerths({ ...home, clock }, { pollMs: quickPoll })
  await Promise.all([0, 1].map(() => berths.create(ids.berthId(), { signal: quiet() })))
  const { isKilled, exits, raises, answersGarbage, answersTooMuch } = BAD_IMAGES
  const deps = { ...home, wanted: home.wantedImage, activity: null, clock, ids, events: createEventLog() }
  const small = { ringLeast: 1, tries: 1, creationMs: 0, selfTestMs: 120_000 }
  const settings = { ...defaultRolloutSettings, ...small }
  const options = {
    scope: { kind: 'all' },
    onUnhealthy: 'roll_back',
    dryRun: false,
    settings,
    signal: quiet(),
  } as const
  const ended = []

  for (const [name, content] of Object.entries({ isKilled, exits, raises, answersGarbage, answersTooMuch })) {
    const target = { image: await home.image(name, content), version: 3 }
    const { state, updated, failed } = await runRollout(deps, { ...options, target })
    ended.push({ name, state, updated, failed, images: new Set(await home.images()) })
  }

  const restored = { state: 'rolled_back', updated: 1, failed: [], images: new Set([home.first]) }
  expect(ended).toEqual(ended.map(({ name }) => ({ name, ...restored })))
})

test('why Lambda refused an update is told by the servers, until a rollout has brought the berth there', async () => {
  await using home = await openCellOn2('refused')
  const cells = JSON.stringify([{ name: 'home', region: home.cell.region, deployment: 'refused' }])
  await using server = await startServer({
    BERTH_BACKEND: 'lambda',
    BERTH_CELLS: cells,
    BERTH_SPARES: '0',
    BERTH_PYTHON: '/nowhere/python',
  })
  const { body: run } = await server.as('ada')('POST', '/v1/runs', { json: { language: 'python', code: '1' } })
  const deps = { ...home, wanted: home.wantedImage, activity: null, clock, ids, events: createEventLog() }
  const settings = { ...defaultRolloutSettings, tries: 1, creationMs: 0, selfTestMs: 120_000 }
  const target = { image: await home.image('refused', version3), version: 3 }
  const options = { scope: { kind: 'all' }, onUnhealthy: 'halt', dryRun: false, settings, signal: quiet() } as const
  const fleet = async () => (await server.operator('GET', '/v1/fleet')).body.data[0]
  const refusal = { status: 400, code: 'InvalidParameterValueException', message: 'Image has no entry point' }
  aws.control.fault({ kind: 'error', action: 'UpdateFunctionCode', error: refusal })

  const halted = await runRollout(deps, { ...options, target })
  await expect.poll(async () => (await fleet()).updatesFailed).toBe(1)
  const { listed } = await fleet()
  const { text: metrics } = await server.operator('GET', '/metrics')
  await home.wantedImage.change((present) => resume(present ?? { ...target, fence: 0 }), { signal: quiet() })
  const done = await runRollout(deps, { ...options, target: null })

  expect([run.status, halted.state, done.state]).toEqual(['succeeded', 'halted', 'done'])
  const told = 'InvalidParameterValueException: Image has no entry point'
  expect(listed.laggards).toEqual([{ berthId: expect.any(String), reason: expect.stringContaining(told) }])
  expect(metrics).toContain('berth_fleet_updates_failed{cell="home"} 1')
  await expect.poll(async () => (await fleet()).updatesFailed).toBe(0)
})

test("what a tenant's berth runs is told as the fleet runs it, and not as its row remembers", async () => {
  await using home = await openCellOn2('told')
  await using server = await startServer({
    BERTH_BACKEND: 'lambda',
    BERTH_CELLS: JSON.stringify([{ name: 'home', region: home.cell.region, deployment: 'told' }]),
    BERTH_SPARES: '0',
    BERTH_PYTHON: '/nowhere/python',
  })
  await server.as('ada')('POST', '/v1/runs', { json: { language: 'python', code: '1' } })
  const deps = { ...home, wanted: home.wantedImage, activity: null, clock, ids, events: createEventLog() }
  const settings = { ...defaultRolloutSettings, creationMs: 0, selfTestMs: 120_000 }
  const target = { image: await home.image('v3', version3), version: 3 }
  const options = { scope: { kind: 'all' }, onUnhealthy: 'halt', dryRun: false, settings, signal: quiet() } as const
  const { state } = await runRollout(deps, { ...options, target })
  const told = async () => (await server.operator('GET', '/v1/tenants?project=demo&uid=ada')).body.data[0].berth

  await expect.poll(told).toMatchObject({ runnerVersion: 3, image: target.image })
  const { id } = await told()
  expect([state, (await server.composed.store.berths.find(id))?.runnerVersion]).toEqual(['done', 2])
})

interface Seen {
  readonly startedMs: number
  readonly status: string
  readonly version: number
}

test('under load no run fails, and none is executed behind a fence that is raised in the middle', async () => {
  await using home = await openCellOn2('load')
  const cells = JSON.stringify([{ name: 'home', region: home.cell.region, deployment: 'load' }])
  await using server = await startServer({
    BERTH_BACKEND: 'lambda',
    BERTH_CELLS: cells,
    BERTH_SPARES: '0',
    BERTH_RATE_PER_MINUTE: '6000',
    BERTH_PYTHON: '/nowhere/python',
  })
  const seen: Seen[] = []
  const run = async (tenant: string): Promise<void> => {
    const startedMs = clock.monotonicMs()
    const { body } = await server.as(tenant)('POST', '/v1/runs', { json: { language: 'python', code: '1' } })
    seen.push({ startedMs, status: body.status ?? JSON.stringify(body), version: body.runner?.version ?? 0 })
  }
  const tenants = Array.from({ length: 6 }, (_, index) => `tenant-${index}`)
  await Promise.all(tenants.map(run))
  const load = { goesOn: true }
  // Two at a time, in turn: enough that some run is under way at every moment, on a machine of two cores.
  const users = [0, 1].map(async (first) => {
    for (let turn = first; load.goesOn; turn += 2) await run(tenants[turn % tenants.length] ?? '')
  })

  // The ring goes on; who comes after it waits until the fence holds.
  const ring = Promise.withResolvers<void>()
  let updates = 0
  const fleet: Fleet = {
    ...home.fleet,
    update: async (...update) => {
      updates += 1
      if (updates > 5) await ring.promise
      return home.fleet.update(...update)
    },
  }
  const target = { image: await home.image('v3', version3), version: 3 }
  const settings = { ...defaultRolloutSettings, creationMs: 0, selfTestMs: 120_000 }
  const log = createEventLog()
  const offered = log
    .next('rollout.updating')
    .then(() => log.next('rollout.updating'))
    .then(() => log.next('rollout.updating'))
  const deps = {
    fleet,
    wanted: home.wantedImage,
    activity: createStoreActivity(server.composed.store),
    clock,
    ids,
    events: log,
  }
  const rollout = runRollout(deps, {
    target,
    settings,
    scope: { kind: 'all' },
    onUnhealthy: 'halt',
    dryRun: false,
    signal: quiet(),
  })
  await offered
  await home.wantedImage.change((present) => raiseFence(present ?? { ...target, fence: 0 }, 3), { signal: quiet() })
  const heldFromMs = clock.monotonicMs() + FENCE_TTL_MS
  const fenced = () => seen.filter(({ startedMs }) => startedMs >= heldFromMs)
  await expect.poll(() => fenced().length, { timeout: 180_000 }).toBeGreaterThan(18)
  const stillBehind = updates - 5
  ring.resolve()
  const report = await rollout
  load.goesOn = false
  await Promise.all(users)

  expect(report).toMatchObject({ state: 'done', failed: [] })
  expect(seen.filter(({ status }) => status !== 'succeeded')).toEqual([])
  expect(fenced().filter(({ version }) => version < 3)).toEqual([])
  // Control: there were runs on the old runner, and berths that only the fence had updated.
  expect(seen.some(({ version }) => version === 2)).toBe(true)
  expect(stillBehind).toBe(1)
  expect(server.events.filter(({ code }) => code === 'run.refused').length).toBeGreaterThanOrEqual(1)
})
