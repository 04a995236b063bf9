import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { accessSync, chmodSync, chownSync, constants, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'

export interface PostgresServer extends AsyncDisposable {
  /** A new, empty database; its URL. */
  createDatabase(): Promise<string>
  /** Stops the server at once, as a crash would. Its folder stays. */
  kill(): Promise<void>
  /** Starts it again on the same folder. */
  start(): Promise<void>
}

export interface PostgresOptions {
  /** False makes it fast, and unfit to measure with. @default false */
  readonly durable?: boolean
}

const debianFolders = (): readonly string[] => {
  try {
    return readdirSync('/usr/lib/postgresql').map((version) => `/usr/lib/postgresql/${version}/bin`)
  } catch {
    return []
  }
}

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Folder with initdb and postgres; null when this machine has none. */
export const findPostgres = (): string | null =>
  [...(process.env['PATH'] ?? '').split(delimiter), ...debianFolders().toSorted().toReversed()].find((folder) =>
    ['initdb', 'postgres'].every((name) => isExecutable(join(folder, name))),
  ) ?? null

/** Why tests on Postgres are skipped here; null when they can run. */
export const postgresMissing = (): string | null =>
  findPostgres() === null ? 'no initdb and postgres in PATH or /usr/lib/postgresql/*/bin' : null

const idsOf = (user: string): { uid: number; gid: number } | null => {
  try {
    const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, user], { stdio: 'pipe' })))
    return uid === undefined || gid === undefined ? null : { uid, gid }
  } catch {
    return null
  }
}

/** Postgres refuses to run as root. Null when we are somebody else and stay that. */
const serverUser = (): { uid: number; gid: number } | null => {
  if (process.getuid?.() !== 0) return null
  const ids = idsOf('postgres') ?? idsOf('nobody')
  if (ids === null) throw new Error('Postgres cannot run as root, and there is no user postgres or nobody')
  return ids
}

/** The kernel ends the server when the thread that started it ends, even by kill -9. */
const asUser = (user: { uid: number; gid: number } | null, command: readonly string[]): readonly string[] => [
  'setpriv',
  ...(user === null ? [] : [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups']),
  '--pdeathsig=SIGQUIT',
  ...command,
]

const isListening = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('close', () => socket.destroy())
    socket.once('connect', () => socket.end())
  })

const query = async (url: string, text: string): Promise<void> => {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}

const waitUntilReady = async (url: string, folder: string, server: ChildProcess): Promise<void> => {
  for (;;) {
    if (server.exitCode !== null || server.signalCode !== null) throw new Error('Postgres ended while it started')
    // The socket is there before the server takes queries.
    const isReady =
      (await isListening(join(folder, '.s.PGSQL.5432'))) &&
      (await query(url, 'select 1').then(
        () => true,
        () => false,
      ))
    if (isReady) return
    await delay(20)
  }
}

const initialize = (binaries: string, folder: string, user: { uid: number; gid: number } | null): void => {
  if (user !== null) chownSync(folder, user.uid, user.gid)
  chmodSync(folder, 0o700)
  const initdb = [join(binaries, 'initdb'), '-D', join(folder, 'data'), '-U', 'berth', '-A', 'trust', '-E', 'UTF8']
  const [command, ...args] = asUser(user, [...initdb, '--locale=C', '--no-sync'])
  execFileSync(String(command), args, { cwd: folder, stdio: 'pipe' })
}

// Commits still reach the operating system, so they survive the server's crash, though not the machine's.
const fast = ['-c', 'fsync=off', '-c', 'full_page_writes=off']

/**
 * A real server on a temporary folder, reached by a Unix socket in it, so that no port can be taken.
 * The first start takes about two seconds.
 */
export const startPostgres = async ({ durable = false }: PostgresOptions = {}): Promise<PostgresServer> => {
  const binaries = findPostgres()
  if (binaries === null) throw new Error(`Postgres cannot start: ${postgresMissing()}`)
  const folder = mkdtempSync(join(tmpdir(), 'berth-pg-'))
  const user = serverUser()
  const urlOf = (database: string): string => `postgres://berth@${encodeURIComponent(folder)}/${database}`
  let server: ChildProcess | null = null
  let databases = 0

  const kill = async (): Promise<void> => {
    if (server === null || server.exitCode !== null || server.signalCode !== null) return
    const ended = new Promise((resolve) => server?.once('exit', resolve))
    // SIGQUIT ends the postmaster and its children at once; SIGKILL would leave children behind.
    server.kill('SIGQUIT')
    await ended
  }
  const start = async (): Promise<void> => {
    const settings = ['-c', 'listen_addresses=', '-c', `unix_socket_directories=${folder}`, '-c', 'max_connections=200']
    const postgres = [join(binaries, 'postgres'), '-D', join(folder, 'data'), ...settings, ...(durable ? [] : fast)]
    const [command, ...args] = asUser(user, postgres)
    server = spawn(String(command), args, { cwd: folder, stdio: 'ignore' })
    await waitUntilReady(urlOf('postgres'), folder, server)
  }
  const dispose = async (): Promise<void> => {
    process.removeListener('exit', removeNow)
    await kill()
    rmSync(folder, { recursive: true, force: true })
  }
  const removeNow = (): void => {
    server?.kill('SIGQUIT')
    rmSync(folder, { recursive: true, force: true })
  }

  process.once('exit', removeNow)
  try {
    initialize(binaries, folder, user)
    await start()
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    createDatabase: async () => {
      databases += 1
      await query(urlOf('postgres'), `create database t${databases} template template0`)
      return urlOf(`t${databases}`)
    },
    kill,
    start,
    [Symbol.asyncDispose]: dispose,
  }
}
