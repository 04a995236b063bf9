import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort } from '../../scripts/free-port.ts'
import { bareEnvironment } from '../support/bare-environment.ts'
import { FIREBASE } from './emulator-paths.ts'
import { type HookPackage, PROJECT } from './hook-package.ts'

export interface SignedIn {
  readonly localId: string
  readonly idToken: string
}

const V1_FOLDER = 'functions-v1'
const services = ['auth', 'functions', 'eventarc', 'tasks', 'hub', 'logging'] as const

/** Auth and functions emulators with two hook packages deployed into them, on ports of their own: the second as functions of the 1st generation. */
export const startEmulators = async (hook: HookPackage, firstGeneration: HookPackage) => {
  const ports = await Promise.all(services.map(freePort))
  await useFirstGeneration(firstGeneration)
  // All that is deployed lies below one folder.
  await symlink(firstGeneration.functions, join(hook.folder, V1_FOLDER))
  await configure(hook, ports)
  const child = spawn(
    process.execPath,
    [FIREBASE, 'emulators:start', '--only', 'auth,functions', '--project', PROJECT],
    {
      cwd: hook.folder,
      // A home of their own: they keep settings there. The others keep them from asking the network: Google for credentials, and npm for newer
      // packages, for ten seconds each time where it gets no answer.
      env: {
        ...bareEnvironment(),
        HOME: hook.folder,
        CI: '1',
        METADATA_SERVER_DETECTION: 'none',
        npm_config_offline: 'true',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const ended = once(child, 'close')
  await ready(child)
  const authHost = `127.0.0.1:${ports[0]}`
  const base = `http://${authHost}/identitytoolkit.googleapis.com`
  const call = async <Answer>(path: string, json: unknown): Promise<Answer> => {
    const response = await fetch(`${base}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer owner' },
      body: JSON.stringify(json),
    })
    const body = await response.text()
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${body}`)
    return JSON.parse(body) as Answer
  }
  return {
    /** Of the Auth emulator, as Google's libraries want it. */
    authHost,
    /** As an app does it. */
    account: (action: string, json: unknown): Promise<SignedIn> =>
      callAsApp(`${base}/v1/accounts:${action}?key=any`, json),
    /** As the project's owner does it. */
    call,
    deleteUser: (uid: string, tenant?: string) =>
      call(`/v1/projects/${PROJECT}${tenant === undefined ? '' : `/tenants/${tenant}`}/accounts:delete`, {
        localId: uid,
      }),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGINT')
      await ended
    },
  }
}

export type Emulators = Awaited<ReturnType<typeof startEmulators>>

const callAsApp = async (url: string, json: unknown): Promise<SignedIn> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...(json as object), returnSecureToken: true }),
  })
  const body = await response.text()
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${body}`)
  const answer = JSON.parse(body) as SignedIn
  return { ...answer, localId: answer.localId ?? uidOf(answer.idToken) }
}

const uidOf = (idToken: string): string => {
  const claims = Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString()
  return String((JSON.parse(claims) as Record<string, unknown>)['sub'])
}

/** What docs/firebase.md says to do. */
const useFirstGeneration = async ({ functions }: HookPackage): Promise<void> => {
  const path = join(functions, 'package.json')
  const declared = JSON.parse(await readFile(path, 'utf8')) as object
  await writeFile(path, JSON.stringify({ ...declared, main: 'lib/index-v1.js' }))
}

const configure = async ({ folder }: HookPackage, ports: readonly number[]): Promise<void> => {
  const path = join(folder, 'firebase.json')
  const config = JSON.parse(await readFile(path, 'utf8')) as { functions: object[] }
  // Functions of one name would be taken for each other.
  const functions = [...config.functions, { source: V1_FOLDER, codebase: 'berth-hook-v1', prefix: 'v1' }]
  const own = services.map((name, at) => [name, { host: '127.0.0.1', port: ports[at] }] as const)
  const emulators = { ...Object.fromEntries(own), ui: { enabled: false }, singleProjectMode: true }
  await writeFile(path, JSON.stringify({ ...config, functions, emulators }))
}

const ready = (child: ReturnType<typeof spawn>): Promise<void> =>
  new Promise((resolve, reject) => {
    if (child.stdout === null || child.stderr === null) throw new Error('the emulators have no output')
    const seen: string[] = []
    child.stderr.on('data', (chunk: Buffer) => seen.push(chunk.toString()))
    createInterface({ input: child.stdout }).on('line', (line) => {
      seen.push(line)
      if (line.includes('All emulators ready')) resolve()
      if (line.includes('Failed to load function')) reject(new Error(seen.join('\n')))
    })
    child.once('close', () => reject(new Error(`the emulators ended before they were ready: ${seen.join('\n')}`)))
  })
