import { BerthError } from '../domain/errors.ts'
import { isTerminal, type Run } from '../domain/run.ts'
import type { RunEvent } from './run-event.ts'

/** How far a reader has come. Nothing else is remembered of a reader, so any process can go on from here. */
interface Position {
  /** 0 nothing, 1 run.created, 2 run.started and output, 3 results and artifacts, 4 all. */
  readonly phase: number
  /** UTF-16 units of each stream. */
  readonly stdout: number
  readonly stderr: number
  /** Results and artifacts, counted through. */
  readonly entries: number
}

const start: Position = { phase: 0, stdout: 0, stderr: 0, entries: 0 }

const idOf = ({ phase, stdout, stderr, entries }: Position): string => `${phase}.${stdout}.${stderr}.${entries}`

/** @throws {BerthError} invalid_request */
const parsePosition = (lastEventId: string | null): Position => {
  if (lastEventId === null) return start
  if (!/^[0-4](\.\d{1,10}){3}$/.test(lastEventId))
    throw new BerthError('invalid_request', 'expected a Last-Event-ID that this stream has sent, got another text')
  const [phase = 0, stdout = 0, stderr = 0, entries = 0] = lastEventId.split('.').map(Number)
  return { phase, stdout, stderr, entries }
}

/**
 * What a reader who has come to `lastEventId` has still to see of the run as it is now. Streams only grow, so the rest of
 * a stream is what lies behind the units already sent.
 * @throws {BerthError} invalid_request
 */
export function* eventsSince(lastEventId: string | null, run: Run): Generator<RunEvent> {
  let at = parsePosition(lastEventId)
  if (at.phase === 0) {
    at = { ...at, phase: 1 }
    const { id, language, createdAt } = run
    yield { id: idOf(at), type: 'run.created', data: { id, language, createdAt } }
  }
  if (at.phase === 1 && run.startedAt !== null) {
    at = { ...at, phase: 2 }
    yield { id: idOf(at), type: 'run.started', data: { id: run.id, startedAt: run.startedAt } }
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    const text = at.phase === 2 ? run.logs[stream].slice(at[stream]) : ''
    if (text === '') continue
    at = { ...at, [stream]: at[stream] + text.length }
    yield { id: idOf(at), type: stream, data: { text } }
  }
  if (isTerminal(run.status)) yield* endOf(at, run)
}

function* endOf(from: Position, run: Run): Generator<RunEvent> {
  if (from.phase === 4) return
  const entries = from.phase === 3 ? from.entries : 0
  for (let index = entries; index < run.results.length + run.artifacts.length; index += 1) {
    const id = idOf({ ...from, phase: 3, entries: index + 1 })
    const result = run.results[index]
    const artifact = run.artifacts[index - run.results.length]
    if (result !== undefined) yield { id, type: 'result', data: result }
    else if (artifact !== undefined) yield { id, type: 'artifact', data: artifact }
  }
  yield { id: idOf({ ...from, phase: 4 }), type: 'run.completed', data: run }
}
