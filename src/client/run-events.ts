import { BerthError } from '../domain/errors.ts'
import { chunksOf } from './byte-stream.ts'
import { parseEventStream } from './event-stream.ts'
import { parseObject, problemError } from './problem.ts'
import { parseRunEvent, type RunEvent } from './run-event.ts'
import { delayBefore, mayRepeat, sleep } from './retry.ts'
import type { Transport } from './transport.ts'

export interface EventsOptions {
  /** Go on after this event; all events by default. */
  readonly lastEventId?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** Broken connections in a row, without one event between them, after which the client gives up. */
const MAX_BREAKS = 5
/** The server sends a heartbeat every 15 s; three missed ones mean that the connection is dead. */
const SILENCE_MS = 45_000

/** One connection of a run's event stream, with what the next one has to know. */
interface Follow {
  readonly runId: string
  lastEventId: string
  breaks: number
  retryMs: number | undefined
}

/** Every event of a run once and in order, over broken connections too. Ends after `run.completed`. */
export const followRun = async function* (
  transport: Transport,
  runId: string,
  options: EventsOptions,
): AsyncGenerator<RunEvent> {
  const follow: Follow = { runId, lastEventId: options.lastEventId ?? '', breaks: 0, retryMs: undefined }
  let ended = false
  while (!ended) {
    try {
      ended = yield* connect(transport, follow, options.signal)
      if (!ended)
        throw new BerthError('server_unreachable', `the event stream of run ${runId} ended before the run did`)
    } catch (error) {
      await pauseOrThrow(error, follow, options.signal)
    }
  }
}

const pauseOrThrow = async (error: unknown, follow: Follow, signal: AbortSignal | undefined): Promise<void> => {
  signal?.throwIfAborted()
  follow.breaks += 1
  if (follow.breaks > MAX_BREAKS || !mayRepeat(error, 'always')) throw error
  await sleep(follow.retryMs ?? delayBefore(error, follow.breaks - 1), signal)
}

/** One connection; true when the run came to its end on it. */
const connect = async function* (
  transport: Transport,
  follow: Follow,
  signal: AbortSignal | undefined,
): AsyncGenerator<RunEvent, boolean> {
  const silence = createSilence(signal)
  try {
    const response = await transport.open({
      method: 'GET',
      path: ['v1', 'runs', follow.runId, 'events'],
      headers: {
        Accept: 'text/event-stream',
        ...(follow.lastEventId === '' ? {} : { 'Last-Event-ID': follow.lastEventId }),
      },
      repeat: 'never',
      signal: silence.signal,
    })
    if (response.body === null) return false
    const heard = silence.watch(chunksOf(response.body))
    const onRetry = (ms: number): void => void (follow.retryMs = ms)
    for await (const { id, event, data } of parseEventStream(heard, { onRetry })) {
      follow.lastEventId = id || follow.lastEventId
      follow.breaks = 0
      if (event === 'error') return isOver(problemError(parseObject(data)))
      const parsed = parseRunEvent({ id, event, data })
      if (parsed !== null) yield parsed
      if (parsed?.type === 'run.completed') return true
    }
    return false
  } finally {
    silence.stop()
  }
}

/** A token that ended while the run was followed: the next connection brings a fresh one, or is refused. Else there is none. @throws the error */
const isOver = (error: BerthError): false => {
  if (error.code === 'unauthenticated') return false
  throw error
}

/** Aborts a connection on which nothing comes any more, not even a heartbeat. */
const createSilence = (outer: AbortSignal | undefined) => {
  const controller = new AbortController()
  const end = (): void =>
    controller.abort(new BerthError('server_unreachable', `the event stream was silent for ${SILENCE_MS} ms`))
  let timer = setTimeout(end, SILENCE_MS)
  return {
    signal: outer === undefined ? controller.signal : AbortSignal.any([outer, controller.signal]),
    watch: async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const chunk of chunks) {
        clearTimeout(timer)
        timer = setTimeout(end, SILENCE_MS)
        yield chunk
      }
    },
    stop: () => clearTimeout(timer),
  }
}
