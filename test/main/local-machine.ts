import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createStoreActivity } from '../../src/main/deployment/store-activity.ts'
import { createLocalRollouts } from '../../src/main/local-rollouts.ts'
import { openLocalWanted, readRunBefore } from '../../src/main/local-wanted.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'
import { openStore } from '../../src/store/open-store.ts'
import { makeBackend, makeFolder, oneRun } from '../backends/local/subject.ts'
import { quiet } from '../contract/content.ts'
import { copyRunner } from '../../scripts/copy-runner.ts'

export const packaged = fileURLToPath(new URL('../../runner-image', import.meta.url))
const clock = createSystemClock()

/** A server's part on a folder that outlasts it: as if it was started there, and after `stop` or a kill started again. */
const openServer = async (folder: string) => {
  await using resources = new AsyncDisposableStack()
  const path = join(folder, 'wanted.json')
  const before = await readRunBefore(path)
  const backend = resources.use(
    await makeBackend({ runnerDir: join(folder, 'runner'), dataDir: join(folder, 'berth'), before }),
  )
  const store = resources.use(await openStore({ databaseUrl: null, dataDir: folder, clock }))
  const wanted = await openLocalWanted(path, backend.fleet.present())
  const { fleet, dispatch, ids } = backend
  const events = { emit: () => undefined }
  const rollouts = resources.use(
    createLocalRollouts({ fleet, dispatch, wanted, ids, clock, events })(createStoreActivity(store)),
  )
  const owned = resources.move()
  return { backend, wanted, rollouts, stop: () => owned.disposeAsync() }
}

/** One machine with some berths, its store, and a runner's folder where releases can be installed. */
export const makeMachine = async (berths: number) => {
  await using resources = new AsyncDisposableStack()
  const folder = resources.use(await makeFolder())
  const runnerDir = join(folder.path, 'runner')
  await mkdir(runnerDir)
  await copyRunner(packaged, runnerDir)
  const install = (version: number) => writeFile(join(runnerDir, 'VERSION'), `${version}\n`)
  await install(7)
  let server = await openServer(folder.path)
  resources.defer(() => server.stop())
  const berthIds = Array.from({ length: berths }, server.backend.ids.berthId)
  for (const berthId of berthIds) await server.backend.berths.create(berthId, { signal: quiet() })
  const owned = resources.move()
  const path = join(folder.path, 'wanted.json')
  const run = (code: string, options: { index?: number; minRunnerVersion?: number; onOutput?: () => void } = {}) =>
    oneRun(server.backend, berthIds[options.index ?? 0] ?? server.backend.ids.berthId(), { code, ...options })
  return {
    path,
    runnerDir,
    copies: join(folder.path, 'berth/runners'),
    scratch: join(folder.path, 'berth/scratch'),
    install,
    run,
    versionOf: async (index: number) => (await run('1', { index })).runner.version,
    get events() {
      return server.backend.events
    },
    get fleet() {
      return server.backend.fleet
    },
    get wanted() {
      return server.wanted
    },
    wantedNow: () => server.wanted.read({ signal: quiet() }),
    start: (options: { dryRun?: boolean; fence?: number; signal?: AbortSignal } = {}) =>
      server.rollouts.start({ dryRun: false, fence: null, signal: quiet(), ...options }),
    rollBack: () => server.rollouts.rollBack({ signal: quiet() }),
    fence: (version: number) => server.rollouts.fence(version, { signal: quiet() }),
    /** All that a server leaves is its files: a kill after a write is what that write left. */
    restart: async ({ found }: { found?: string } = {}) => {
      await server.stop()
      if (found !== undefined) await writeFile(path, found)
      server = await openServer(folder.path)
    },
    stored: () => readFile(path, 'utf8'),
    stop: () => server.stop(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
