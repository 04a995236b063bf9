import { readFileSync, watch } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createBerth } from '../../src/client/berth.ts'
import { type Wanted, wantedImageSchema } from '../../src/domain/wanted-image.ts'
import { descendants } from '../../scripts/bench/process-memory.ts'
import { copyRunner } from '../../scripts/copy-runner.ts'
import { createServerUnderTest } from './server-under-test.ts'

const packaged = fileURLToPath(new URL('../../runner-image', import.meta.url))
const program = [fileURLToPath(new URL('rollout-server.ts', import.meta.url))]

/** A real server in its own process, with a runner's folder where releases can be installed, and somebody who waits for the moment to kill it. */
export const makeRolloutMachine = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'berth-kill-rollout-'))
  const dataDir = join(folder, 'state')
  const runnerDir = join(folder, 'runner')
  await mkdir(dataDir)
  await copyRunner(packaged, runnerDir)
  const listeners = new Set<(line: string) => void>()
  const server = await createServerUnderTest(
    { BERTH_DATA_DIR: dataDir, BERTH_SPARES: '1', BERTH_LOCAL_SPARES: '1', BERTH_LOCAL_NODE_SPARES: '0' },
    { program: [...program, runnerDir], onLine: (line) => listeners.forEach((listener) => listener(line)) },
  )
  const wantedPath = join(dataDir, 'wanted.json')
  return {
    server,
    dataDir,
    operator: createBerth({ baseUrl: server.url, key: server.operatorKey }),
    install: (version: number) => writeFile(join(runnerDir, 'VERSION'), `${version}\n`),
    /** What the file says that the next server is to start, and from which version on runs are allowed. */
    wanted: async (): Promise<Wanted> => wantedImageSchema.parse(JSON.parse(await readFile(wantedPath, 'utf8'))),
    /** Resolves when the server has told the event. */
    told: (code: string): Promise<void> =>
      new Promise((resolve) => {
        const listener = (line: string): void => {
          if (!line.includes(`"code":"${code}"`)) return
          listeners.delete(listener)
          resolve()
        }
        listeners.add(listener)
      }),
    /** Resolves when the file has become such. */
    wrote: (isSuch: (wanted: Wanted) => boolean): Promise<void> =>
      new Promise((resolve) => {
        const watcher = watch(dataDir, () => {
          if (!isSuch(wantedImageSchema.parse(JSON.parse(readFileSync(wantedPath, 'utf8'))))) return
          watcher.close()
          resolve()
        })
      }),
    [Symbol.asyncDispose]: async () => {
      await server.kill()
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

export type RolloutMachine = Awaited<ReturnType<typeof makeRolloutMachine>>

const isAlive = async (pid: number): Promise<boolean> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  return stat !== null && !/\) [ZX] /.test(stat)
}

/** Runners that work in this data directory without belonging to the server of now. */
export const strangers = async ({ server, dataDir }: RolloutMachine): Promise<readonly string[]> => {
  const own = new Set(await descendants(server.pid))
  const found: string[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || own.has(Number(name))) continue
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')
    if (command.includes(join(dataDir, 'scratch')) && (await isAlive(Number(name)))) found.push(`${name} ${command}`)
  }
  return found
}

/** What a server that was killed has left in its folders, and the one of now has no use for. */
export const leftOvers = async ({ dataDir }: RolloutMachine, living: string): Promise<readonly string[]> => {
  const digest = living.slice(living.indexOf(':', living.indexOf('@')) + 1)
  const scratch = (await readdir(join(dataDir, 'scratch'))).filter((name) => !digest.startsWith(name))
  const copies = (await readdir(join(dataDir, 'runners'))).filter((name) => name.startsWith('incoming-'))
  const all = await readdir(join(dataDir, 'berths'), { recursive: true })
  const ofTests = all.filter((name) => name.includes('self-test'))
  const others = (await readdir(dataDir)).filter((name) => name.endsWith('.new') || name === 'proof')
  return [...scratch, ...copies, ...ofTests, ...others]
}
