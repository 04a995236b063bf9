import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BerthId } from '../../../src/domain/ids.ts'
import { type RunLimits, defaultRunLimits } from '../../../src/domain/limits.ts'
import type { DispatchRequest } from '../../../src/domain/ports/dispatch.ts'
import type { BerthEvent } from '../../../src/domain/ports/events.ts'
import type { RunnerReply } from '../../../src/domain/runner-protocol.ts'
import { createBerthFolders } from '../../../src/backends/local/berth-folders.ts'
import { createFolderFiles } from '../../../src/backends/local/folder-files.ts'
import { openLayout } from '../../../src/backends/local/layout.ts'
import { type LocalBackendOptions, createLocalBackend } from '../../../src/backends/local/local-backend.ts'
import { createRandomIds } from '../../../src/main/random-ids.ts'
import { createSystemClock } from '../../../src/main/system-clock.ts'
import { LIGHT_PYTHON } from '../../support/light-python.ts'

/** A data directory of its own. Not below /tmp by chance only: the sandbox has a /tmp of its own, and so the tests see it. */
export const makeFolder = async () => {
  const path = await mkdtemp(join(tmpdir(), 'berth-test-'))
  // What a runner left behind may still be dying in it.
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) }
}

/** The folders of the local backend without a runner: enough for Berths and TenantFiles. */
export const makeFolders = async () => {
  const folder = await makeFolder()
  const layout = await openLayout(folder.path, [])
  const ids = createRandomIds(createSystemClock())
  return {
    layout,
    ids,
    berths: createBerthFolders(layout),
    files: createFolderFiles(layout),
    makePartial: async (berthId: ReturnType<typeof ids.berthId>) => {
      await mkdir(layout.files(berthId), { recursive: true })
    },
    [Symbol.asyncDispose]: folder[Symbol.asyncDispose],
  }
}

/** A whole local backend in a folder of its own, with what it told; without pandas, unless another Python is given. */
export const makeBackend = async (options: Partial<LocalBackendOptions> = {}) => {
  const folder = await makeFolder()
  const events: BerthEvent[] = []
  const clock = createSystemClock()
  const ids = createRandomIds(clock)
  const dataDir = join(folder.path, 'berth')
  try {
    const backend = await createLocalBackend({
      dataDir,
      events: { emit: (event) => void events.push(event) },
      clock,
      ids,
      python: LIGHT_PYTHON.path,
      ...options,
    })
    return {
      ...backend,
      dataDir,
      ids,
      events,
      [Symbol.asyncDispose]: async () => {
        await backend[Symbol.asyncDispose]()
        await folder[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await folder[Symbol.asyncDispose]()
    throw error
  }
}

type Backend = Pick<Awaited<ReturnType<typeof makeBackend>>, 'dispatch' | 'ids'>

export interface OneRun {
  readonly code: string
  readonly language?: 'python' | 'typescript'
  readonly files?: readonly string[]
  readonly variables?: DispatchRequest['variables']
  readonly limits?: Partial<RunLimits>
  readonly minRunnerVersion?: number
  readonly signal?: AbortSignal
  readonly onOutput?: (stream: 'stdout' | 'stderr', text: string) => void
}

/** Runs code in a berth through the port. */
export const oneRun = (backend: Backend, berthId: BerthId, run: OneRun): Promise<RunnerReply> =>
  backend.dispatch.dispatch({
    berthId,
    request: {
      runId: backend.ids.runId(),
      language: run.language ?? 'python',
      code: run.code,
      variables: run.variables ?? {},
      files: [...(run.files ?? [])],
      profile: 'default',
      limits: { ...defaultRunLimits, ...run.limits },
      minRunnerVersion: run.minRunnerVersion ?? 0,
    },
    signal: run.signal ?? new AbortController().signal,
    ...(run.onOutput === undefined ? {} : { onOutput: run.onOutput }),
  })
