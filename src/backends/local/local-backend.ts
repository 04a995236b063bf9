import { constants } from 'node:fs'
import { access, mkdir, readdir, realpath, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { BerthError } from '../../domain/errors.ts'
import type { Berths } from '../../domain/ports/berths.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import type { Dispatch } from '../../domain/ports/dispatch.ts'
import type { Events } from '../../domain/ports/events.ts'
import type { Ids } from '../../domain/ports/ids.ts'
import type { TenantFiles } from '../../domain/ports/tenant-files.ts'
import { createBerthFolders } from './berth-folders.ts'
import { emptyProof } from './candidate-proof.ts'
import { createFolderFiles } from './folder-files.ts'
import { sweepFolder } from './folder-walk.ts'
import { type Layout, openLayout } from './layout.ts'
import { createLocalDispatch } from './local-dispatch.ts'
import { createLocalFleet, type LocalFleet } from './local-fleet.ts'
import { createRunnerImages, type KeptRunner, type RunnerImages } from './runner-images.ts'
import { RunnerProcess } from './runner-process.ts'
import { openRunnerSlot } from './runner-slot.ts'
import { sweepSelfTests } from './self-test.ts'

export interface LocalBackendOptions {
  /** Folder for everything; tenants' files lie below it. */
  readonly dataDir: string
  readonly events: Events
  readonly clock: Clock
  readonly ids: Ids
  /** Rung of the sandbox ladder. @default the best that this machine offers */
  readonly level?: string | null
  /** Run code without a sandbox where none can be built. @default false */
  readonly unsafe?: boolean
  /** @default `.venv/bin/python` beside package.json */
  readonly python?: string
  /** @default the Node that runs the server */
  readonly node?: string
  /** Folder that holds the package `berth_runner`. @default `runner-image` beside package.json */
  readonly runnerDir?: string
  /** Sandboxes with Python that wait ready. @default 2 */
  readonly spares?: number
  /** Sandboxes with Node that wait ready; each takes about 20 MB. @default 2 */
  readonly nodeSpares?: number
  /** Runs after which the golden zygote is replaced. @default 1000 */
  readonly recycleRuns?: number
  /** Seconds after which the golden zygote is replaced. @default 600 */
  readonly recycleSeconds?: number
  /** Runs at once over all tenants. @default twice the cores, at least 2 */
  readonly maxConcurrency?: number
  /** What ran on this machine before. @default nothing is known: the runner that is installed */
  readonly before?: RunBefore | null
}

export interface RunBefore {
  readonly image: string
  /** Were never proven or were turned away: while one of these is installed, `image` goes on. */
  readonly insteadOf: readonly string[]
  /** May be asked for later. */
  readonly previous: string | null
}

export interface LocalBackend extends AsyncDisposable {
  readonly berths: Berths
  readonly dispatch: Dispatch
  readonly fleet: LocalFleet
  readonly files: TenantFiles
}

/** An upload that nobody has written to for so long belongs to a server that died. */
const ABANDONED_UPLOAD_MS = 10 * 60_000
/** Rungs that keep tenants apart; below them code runs unsandboxed and every answer says so. */
const SANDBOX_LEVELS = ['namespaces', 'bubblewrap']

/** Beside those of tenants: Berth's own tests of a runner must not wait until tenants' runs leave a place, which may be never. */
const OWN_RUNS = 2

const packageRoot = join(import.meta.dirname, '../../..')

const withDefaults = (options: LocalBackendOptions) => ({
  level: null,
  unsafe: false,
  python: join(packageRoot, '.venv/bin/python'),
  node: process.execPath,
  runnerDir: join(packageRoot, 'runner-image'),
  spares: 2,
  nodeSpares: 2,
  recycleRuns: 1000,
  recycleSeconds: 600,
  maxConcurrency: Math.max(2, availableParallelism() * 2),
  before: null,
  ...options,
})
type Settings = ReturnType<typeof withDefaults>

interface Starting {
  readonly layout: Layout
  readonly kept: KeptRunner
  readonly signal: AbortSignal
}

/** Of its own: each runner sweeps what its runs have left there. */
const scratchOf = (layout: Layout, image: string): string =>
  join(layout.scratch, image.slice(image.indexOf('@sha256:') + '@sha256:'.length).slice(0, 12))

const chooseRunner = async (images: RunnerImages, { before, events }: Settings): Promise<KeptRunner> => {
  const installed = await images.keep()
  if (before === null || !before.insteadOf.includes(installed.image)) return installed
  const kept = await images.kept(before.image)
  if (kept === null) throw noneProven(installed, before)
  const detail = { installed: installed.image, before: before.image, starts: kept.image }
  events.emit({ code: 'runner.installed_is_unproven', level: 'warn', detail })
  return kept
}

const noneProven = ({ version }: KeptRunner, { image }: RunBefore): BerthError =>
  new BerthError(
    'config_invalid',
    `The runner that is installed, version ${version}, was left by a rollback or never proven, and the copy of the one before it, ${image}, is gone or damaged. Install that release, or another`,
  )

/** Also clears away what a server before has left, but for what may still be asked for. */
const firstRunner = async (images: RunnerImages, layout: Layout, settings: Settings): Promise<KeptRunner> => {
  const { before, events } = settings
  const first = await chooseRunner(images, settings)
  const wanted = before === null ? [] : [before.image, before.previous ?? before.image]
  await images.keepOnly([first.image, ...wanted])
  await sweepScratch(layout, new Set([first.image]), events)
  return first
}

/** What runners left there that will not start again, after a crash with whatever their runs wrote. */
const sweepScratch = async (layout: Layout, living: ReadonlySet<string>, events: Events): Promise<void> => {
  const used = new Set([...living].map((image) => scratchOf(layout, image)))
  for (const name of await readdir(layout.scratch)) {
    const path = join(layout.scratch, name)
    if (used.has(path)) continue
    await rm(path, { recursive: true, force: true }).catch((error: unknown) => {
      events.emit({ code: 'scratch.not_swept', level: 'warn', detail: { path }, error })
    })
  }
}

const startRunner = async (settings: Settings, { layout, kept, signal }: Starting): Promise<RunnerProcess> => {
  const scratchDir = scratchOf(layout, kept.image)
  await mkdir(scratchDir, { recursive: true, mode: 0o700 })
  const { python, level, unsafe, spares, nodeSpares, recycleRuns, recycleSeconds, maxConcurrency, node } = settings
  const config = {
    level,
    spares,
    nodeSpares,
    recycleRuns,
    recycleSeconds,
    maxConcurrency: maxConcurrency + OWN_RUNS,
    node,
    allowUnsafe: unsafe,
    scratchDir,
  }
  const command = { python, runnerDir: kept.dir, image: kept.image, config }
  return RunnerProcess.start({ command, events: settings.events, clock: settings.clock }, signal)
}

const assertPython = async (python: string): Promise<void> => {
  await access(python, constants.X_OK).catch((cause: unknown) => {
    throw new BerthError('sandbox_unavailable', `The runner's Python is not there: expected a program at ${python}`, {
      cause,
    })
  })
}

/** What a sandbox shows besides the system: Python's environment, the Python that it was made from, the runner and Node. */
const visibleFolders = async ({ python, runnerDir, node }: Settings): Promise<readonly string[]> => {
  const base = await realpath(python).catch(() => python)
  return [dirname(dirname(python)), dirname(dirname(base)), runnerDir, dirname(node)]
}

/**
 * Berths on this machine, no AWS: folders for files, one runner process, a fresh sandbox per run.
 * @throws {BerthError} sandbox_unavailable with the remedy; config_invalid when the data directory is visible to runs
 */
export const createLocalBackend = async (options: LocalBackendOptions): Promise<LocalBackend> => {
  const settings = withDefaults(options)
  await assertPython(settings.python)
  const visible = await visibleFolders(settings)
  const layout = await openLayout(settings.dataDir, visible)
  const files = createFolderFiles(layout)
  await emptyProof(layout)
  await sweepSelfTests({ layout, files })
  await sweepFolder(layout.incoming, ABANDONED_UPLOAD_MS, settings.clock.now())
  const images = createRunnerImages(settings.runnerDir, layout.runners)
  const first = await firstRunner(images, layout, settings)
  const runner = await openRunnerSlot(first, {
    start: (kept, signal) => startRunner(settings, { layout, kept, signal }),
    events: settings.events,
    clock: settings.clock,
  })
  const berths = createBerthFolders(layout)
  const dispatch = createLocalDispatch({ layout, runner, maxConcurrency: settings.maxConcurrency })
  const fleet = createLocalFleet({
    layout,
    runner,
    images,
    events: settings.events,
    clock: settings.clock,
    berths,
    files,
    dispatch,
    ids: settings.ids,
    sandboxLevels: SANDBOX_LEVELS,
    sweep: (living) => sweepScratch(layout, living, settings.events),
  })
  return { berths, dispatch, fleet, files, [Symbol.asyncDispose]: () => runner[Symbol.asyncDispose]() }
}
