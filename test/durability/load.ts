import { createHash, randomBytes, randomInt } from 'node:crypto'
import { signHook } from '../../scripts/signed-hook.ts'
import type { ServerUnderTest } from './server-under-test.ts'

/** What the server has acknowledged, and so must never lose. */
export interface Acknowledged {
  readonly uids: string[]
  readonly files: { readonly uid: string; readonly name: string; readonly sha256: string }[]
  readonly runs: { readonly uid: string; readonly id: string; readonly token: string }[]
}

export const project = 'durability'

interface Load {
  readonly server: ServerUnderTest
  readonly key: string
  readonly acknowledged: Acknowledged
  readonly signal: AbortSignal
}

/** Sign-ups, uploads and asynchronous runs at once, until the signal; only what was answered counts. */
export const applyLoad = async (load: Load): Promise<void> => {
  const loops = [signUps, uploads, uploads, asyncRuns, asyncRuns].map((loop) => untilAborted(load, loop))
  await Promise.all(loops)
}

const untilAborted = async (load: Load, once: (load: Load) => Promise<void>): Promise<void> => {
  while (!load.signal.aborted) {
    // A connection that the kill breaks says nothing: neither lost nor acknowledged.
    await once(load).catch((error: unknown) => {
      if (!load.signal.aborted && !isBroken(error)) throw error
    })
  }
}

const isBroken = (error: unknown): boolean => error instanceof TypeError

const signUps = async ({ server, acknowledged, signal }: Load): Promise<void> => {
  const uid = `user ${randomBytes(6).toString('hex')} é/../😀`
  const event = signHook({ secret: server.hookSecret, payload: { type: 'user.created', data: { project, uid } } })
  const answer = await fetch(`${server.url}/v1/hooks/identity`, { method: 'POST', signal, ...event })
  await expectStatus(answer, 202)
  acknowledged.uids.push(uid)
  await pause(40, signal)
}

const someUid = ({ acknowledged: { uids } }: Load): string | null =>
  uids.length === 0 ? null : (uids[randomInt(uids.length)] ?? null)

const headersOf = (key: string, uid: string): Record<string, string> => ({
  Authorization: `Bearer ${key}`,
  'Berth-Tenant': encodeURIComponent(uid),
})

const uploads = async (load: Load): Promise<void> => {
  const uid = someUid(load)
  if (uid === null) return pause(10, load.signal)
  const name = `f-${randomBytes(4).toString('hex')}.bin`
  const content = randomBytes(randomInt(1, 200_000))
  const answer = await fetch(`${load.server.url}/v1/files/${name}`, {
    method: 'PUT',
    signal: load.signal,
    headers: { ...headersOf(load.key, uid), 'Content-Type': 'application/octet-stream' },
    body: content,
  })
  if (await isNotReadyYet(answer)) return pause(20, load.signal)
  await expectStatus(answer, 200, 201)
  load.acknowledged.files.push({ uid, name, sha256: createHash('sha256').update(content).digest('hex') })
}

const asyncRuns = async (load: Load): Promise<void> => {
  const uid = someUid(load)
  if (uid === null) return pause(10, load.signal)
  const token = randomBytes(6).toString('hex')
  const answer = await fetch(`${load.server.url}/v1/runs`, {
    method: 'POST',
    signal: load.signal,
    headers: { ...headersOf(load.key, uid), 'Content-Type': 'application/json', Prefer: 'respond-async' },
    body: JSON.stringify({ language: 'python', code: `"${token}"` }),
  })
  if (await isNotReadyYet(answer)) return pause(20, load.signal)
  await expectStatus(answer, 202)
  const { id } = (await answer.json()) as { id: string }
  load.acknowledged.runs.push({ uid, id, token })
  await pause(30, load.signal)
}

/** A refusal that says "later" acknowledges nothing. */
const isNotReadyYet = async (answer: Response): Promise<boolean> => {
  if (answer.status !== 503 && answer.status !== 429) return false
  await answer.arrayBuffer()
  return true
}

const expectStatus = async (answer: Response, ...expected: number[]): Promise<void> => {
  if (!expected.includes(answer.status))
    throw new Error(`expected ${expected.join(' or ')}, got ${answer.status}: ${await answer.text()}`)
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
