import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

/** One arrival at Berth: what was sent, and what came back. */
export interface Arrival {
  readonly type: string
  readonly uid: string
  readonly identityTenant: string
  readonly headers: Record<string, string>
  readonly body: string
  readonly status: number
  readonly answer: { readonly tenantId?: string; readonly outcome?: string }
}

interface Told {
  readonly type: string
  readonly data: { readonly uid: string; readonly identityTenant: string }
}

const eventOf = (body: string): Told => JSON.parse(body) as Told

const kept = ['authorization', 'content-type', 'webhook-id', 'webhook-timestamp', 'webhook-signature'] as const

/** Stands between the functions and Berth, as a load balancer does, so that a test sees and holds what passes. */
export const startHookRelay = async () => {
  const arrivals: Arrival[] = []
  const watchers = new Set<() => void>()
  const held = new Map<string, () => void>()
  const gates = new Map<string, Promise<void>>()
  const down = new Set<string>()
  let target = ''

  const deliver = async (headers: Record<string, string>, body: string): Promise<Arrival> => {
    const { type, data } = eventOf(body)
    const response = down.has(data.uid)
      ? new Response('{}', { status: 503 })
      : await fetch(`${target}/v1/hooks/identity`, { method: 'POST', headers, body })
    const answer = (await response.json()) as Arrival['answer']
    const arrival = { type, ...data, headers, body, status: response.status, answer }
    arrivals.push(arrival)
    for (const watch of watchers) watch()
    return arrival
  }

  const server = createServer()
  const relay = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const sent = kept.filter((name) => request.headers[name] !== undefined)
    const headers = Object.fromEntries(sent.map((name) => [name, String(request.headers[name])]))
    const body = await text(request)
    const { type, data } = eventOf(body)
    const gate = gates.get(`${type} ${data.uid}`)
    // A function that throws, of a 503 or since it waited too long, is killed, and the emulator loses the next event to the dying process.
    const answer = (status: number): void => void response.writeHead(status === 503 ? 202 : status).end('{}')
    if (gate !== undefined) answer(202)
    await gate
    const { status } = await deliver(headers, body)
    if (gate === undefined) answer(status)
  }
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    relay(request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the relay has no port')

  return {
    url: `http://127.0.0.1:${address.port}`,
    leadTo: (url: string): void => void (target = url),
    arrivals: (uid: string): readonly Arrival[] => arrivals.filter((arrival) => arrival.uid === uid),
    /** Resolves when the event of this user has been answered. */
    arrival: (type: string, uid: string): Promise<Arrival> =>
      new Promise((resolve) => {
        const watch = (): void => {
          const found = arrivals.find((arrival) => arrival.type === type && arrival.uid === uid)
          if (found === undefined) return
          watchers.delete(watch)
          resolve(found)
        }
        watchers.add(watch)
        watch()
      }),
    /** The event of this user waits until it is let go. */
    hold: (type: string, uid: string): void => {
      const { promise, resolve } = Promise.withResolvers<void>()
      gates.set(`${type} ${uid}`, promise)
      held.set(`${type} ${uid}`, resolve)
    },
    letGo: (type: string, uid: string): void => held.get(`${type} ${uid}`)?.(),
    /** Berth is not there for this user's events, until it is back. */
    takeDown: (uid: string): void => void down.add(uid),
    bringBack: (uid: string): void => void down.delete(uid),
    again: ({ headers, body }: Arrival): Promise<Arrival> => deliver(headers, body),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export type HookRelay = Awaited<ReturnType<typeof startHookRelay>>
