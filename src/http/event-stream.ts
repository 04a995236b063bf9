import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { RunEvent } from '../dispatcher/run-event.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { RequestContext } from './request-context.ts'
import { createProblem, toBerthError } from './problem.ts'
import { isRefusal } from './watch-right.ts'

/** Told to clients: how long to wait before they come back after a broken connection. */
const RETRY_MS = 1000
/** A stream that cannot begin says so by its status if it does within this time, and in the stream if later. */
const REFUSAL_MS = 100
/** A reader who takes nothing for so long, and at most twice so long, is cut off. */
const STALLED_MS = 60_000
/** What is handed to the connection at once, so that a slow reader of a large event is seen to take something. */
const SLICE_BYTES = 64 * 1024

export interface StreamOptions {
  readonly clock: Clock
  readonly heartbeatMs: number
}

/** Sends events until they end or the reader goes away, with a comment now and then that keeps proxies awake. */
export const sendEvents = async (
  context: RequestContext,
  events: AsyncIterable<RunEvent>,
  { clock, heartbeatMs }: StreamOptions,
): Promise<void> => {
  const { response, signal } = context
  const iterator = events[Symbol.asyncIterator]()
  const first = iterator.next()
  await Promise.race([first, delay(REFUSAL_MS, undefined, { ref: false })])
  startStream(context)
  void cutOffWhenStalled(response, clock)
  const heartbeat = setInterval(() => {
    if (!response.writableNeedDrain) response.write(': still here\n\n')
  }, heartbeatMs)
  try {
    for (let step = await first; step.done !== true; step = await iterator.next()) {
      heartbeat.refresh()
      await write(context, formatEvent(step.value))
    }
  } catch (error) {
    if (!signal.aborted) response.write(formatFailure(error, context))
    else if (isRefusal(signal.reason)) response.write(formatFailure(signal.reason, context))
  } finally {
    clearInterval(heartbeat)
    await iterator.return?.()
    response.end()
  }
}

const startStream = ({ response }: RequestContext): void => {
  response.writeHead(200, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    // nginx would hold the events back.
    'X-Accel-Buffering': 'no',
  })
  response.write(`retry: ${RETRY_MS}\n\n`)
}

export const formatEvent = (event: RunEvent): string =>
  `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event.data)}\n\n`

const formatFailure = (error: unknown, { request, requestId }: RequestContext): string =>
  `event: error\ndata: ${JSON.stringify(createProblem(toBerthError(error), { instance: request.path, requestId }))}\n\n`

/** Waits for a slow reader instead of keeping its events in memory. */
const write = async ({ response, signal }: RequestContext, text: string): Promise<void> => {
  const bytes = Buffer.from(text)
  for (let begin = 0; begin < bytes.length; begin += SLICE_BYTES) {
    signal.throwIfAborted()
    if (!response.write(bytes.subarray(begin, begin + SLICE_BYTES))) await once(response, 'drain', { signal })
  }
}

/** Until the connection is done with the answer, and so also after its last event. */
const cutOffWhenStalled = async (response: ServerResponse, clock: Clock): Promise<void> => {
  const closed = new AbortController()
  response.once('close', () => closed.abort())
  let before = -1
  while (!response.closed) {
    const taken = (response.socket?.bytesWritten ?? 0) - response.writableLength
    if (response.writableLength > 0 && taken === before) response.destroy()
    before = taken
    await clock.sleep(STALLED_MS, closed.signal).catch(() => undefined)
  }
}
