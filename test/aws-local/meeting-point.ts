import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ImageContent } from '../../scripts/aws-local/images.ts'

/** Where functions report that they run, and wait to be let go: no test needs to guess how long anything takes. */
export interface MeetingPoint extends AsyncDisposable {
  readonly url: string
  /** Resolves when so many functions wait here at once. */
  gathered(count: number): Promise<void>
  letGo(): void
}

/** Waits at the meeting point whose address its event names. */
export const WAITING_IMAGE: ImageContent = {
  kind: 'handler',
  source: `
import urllib.request
def handler(event, context):
    return urllib.request.urlopen(event["url"]).read().decode()
`,
}

export const openMeetingPoint = async (): Promise<MeetingPoint> => {
  const waiting = new Set<ServerResponse>()
  const awaited: { count: number; resolve: () => void }[] = []
  const server = createServer((_, response) => {
    waiting.add(response)
    for (const { count, resolve } of awaited) if (waiting.size >= count) resolve()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    gathered: async (count) => {
      if (waiting.size >= count) return
      const { promise, resolve } = Promise.withResolvers<void>()
      awaited.push({ count, resolve })
      await promise
    },
    letGo: () => {
      for (const response of waiting) response.end('met')
      waiting.clear()
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
