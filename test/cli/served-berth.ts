import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { berth, type BerthOptions, type Ended, spawnBerth } from './berth-process.ts'

interface Ready {
  readonly url: string
  readonly dataDir: string
  readonly operatorKey: string
}

/** `berth serve` in a process and a folder of its own, and the command line that speaks to it. */
export const startServedBerth = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'berth-cli-'))
  const server = spawnBerth(['serve', '--port', '0', '--data-dir', join(folder, 'data'), '--json'])
  const lines = createInterface({ input: server.stdout })
  const { url, dataDir, operatorKey } = await readyOf(lines, server)
  const env = { BERTH_URL: url, BERTH_DATA_DIR: dataDir }

  return {
    folder,
    url,
    operatorKey,
    /** As a person in this folder, or with another environment. */
    berth: (args: readonly string[], options: BerthOptions = {}): Promise<Ended> =>
      berth(args, { cwd: folder, ...options, env: { ...env, ...options.env } }),
    spawn: (args: readonly string[], options: BerthOptions = {}) =>
      spawnBerth(args, { cwd: folder, ...options, env: { ...env, ...options.env } }),
    /** Asks it to stop; resolves with its exit code. */
    stop: async (): Promise<number | null> => {
      const ended = once(server, 'close')
      server.kill('SIGTERM')
      const [code] = (await ended) as [number | null]
      return code
    },
    [Symbol.asyncDispose]: async () => {
      if (server.exitCode === null) {
        const ended = once(server, 'close')
        server.kill('SIGTERM')
        await ended
      }
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

const readyOf = (lines: Interface, server: ReturnType<typeof spawnBerth>): Promise<Ready> =>
  new Promise((resolve, reject) => {
    const errors: string[] = []
    server.stderr.on('data', (chunk: Buffer) => errors.push(chunk.toString()))
    lines.on('line', (line) => {
      const entry = JSON.parse(line) as { readonly code: string } & Ready
      if (entry.code === 'serve.ready') resolve(entry)
    })
    server.once('close', () => reject(new Error(`berth serve ended before it was ready: ${errors.join('')}`)))
  })
