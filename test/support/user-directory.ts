import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { setVariables } from './set-variables.ts'

/** As Google's REST API writes it; `validSince` in seconds. */
export interface DirectoryUser {
  readonly disabled?: boolean
  readonly validSince?: string
}

const PATH = /\/v1\/projects\/[^/]+(?:\/tenants\/([^/]+))?\/accounts:lookup$/

/** Google's look-up of users, over HTTP: the call that firebase-admin's getUser makes. It is sent here as to an emulator. */
export const startUserDirectory = async () => {
  const users = new Map<string, DirectoryUser>()
  const asked: string[] = []
  let failure: { readonly status: number; readonly message: string } | null = null
  let gate: PromiseWithResolvers<void> | null = null
  const arrivals = new Set<() => void>()

  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      const { localId } = (await json(request)) as { readonly localId: readonly [string] }
      const name = `${PATH.exec(request.url ?? '')?.[1] ?? ''}/${localId[0]}`
      asked.push(name)
      for (const arrive of arrivals) arrive()
      await gate?.promise
      const user = users.get(name)
      const found = user === undefined ? {} : { users: [{ localId: localId[0], createdAt: '1', ...user }] }
      const { status, body } =
        failure === null ? { status: 200, body: found } : { status: failure.status, body: { error: failure } }
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    answer().catch(() => response.destroy())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    host,
    /** By identity tenant, `/` and uid. */
    users,
    /** Whom it was asked for, in the same words. */
    asked,
    /** Resolves when so many questions have come. */
    hasBeenAsked: (count: number): Promise<void> =>
      new Promise((resolve) => {
        const arrive = (): void => {
          if (asked.length < count) return
          arrivals.delete(arrive)
          resolve()
        }
        arrivals.add(arrive)
        arrive()
      }),
    fail: (status: number | null, message = 'INTERNAL'): void => {
      failure = status === null ? null : { status, message }
    },
    /** Whoever asks from now on waits until the answers are let go. */
    hold: (): void => void (gate = Promise.withResolvers()),
    letGo: (): void => {
      gate?.resolve()
      gate = null
    },
    /** What firebase-admin reads once, when it is opened. */
    asGoogle: (): Disposable => setVariables({ FIREBASE_AUTH_EMULATOR_HOST: host }),
    [Symbol.asyncDispose]: async () => {
      gate?.resolve()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export type UserDirectory = Awaited<ReturnType<typeof startUserDirectory>>
