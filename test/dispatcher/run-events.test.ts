import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isTerminal, type Run } from '../../src/domain/run.ts'
import { createRun } from '../../src/dispatcher/run-from-reply.ts'
import type { RunEvent } from '../../src/dispatcher/run-event.ts'
import { eventsSince } from '../../src/dispatcher/run-events.ts'
import { createRunFeed } from '../../src/dispatcher/run-feed.ts'
import { codeOf, collect, quiet } from '../contract/content.ts'
import { ids } from '../support/provisioning-site.ts'

const queued = createRun({ id: ids.runId(), language: 'python', createdAt: new Date(0) })
const logsOf = (stdout: string, stderr: string) => ({ ...queued.logs, stdout, stderr })
const running = (stdout: string, stderr: string): Run => ({
  ...queued,
  status: 'running',
  startedAt: new Date(1).toISOString(),
  logs: logsOf(stdout, stderr),
})
const finished = (stdout: string, stderr: string, results = 2): Run => ({
  ...running(stdout, stderr),
  status: 'succeeded',
  results: Array.from({ length: results }, (_, index) => ({ isMain: index === 0, text: `${index}` })),
  artifacts: [{ name: 'a.txt', mime: 'text/plain', bytes: 1, sha256: 'x', url: '/a', content: null }],
  finishedAt: new Date(2).toISOString(),
})
const textOf = (events: readonly RunEvent[], stream: 'stdout' | 'stderr') =>
  events.flatMap((event) => (event.type === stream ? [event.data.text] : [])).join('')
const typesOf = (events: readonly RunEvent[]) => events.map(({ type }) => type)

test('a finished run is told from the beginning to the end', () => {
  expect(typesOf([...eventsSince(null, finished('out', 'err'))])).toEqual([
    'run.created',
    'run.started',
    'stdout',
    'stderr',
    'result',
    'result',
    'artifact',
    'run.completed',
  ])
})

test('a run that ended before it began has neither a start nor output', () => {
  expect(typesOf([...eventsSince(null, { ...queued, status: 'canceled' })])).toEqual(['run.created', 'run.completed'])
})

test('a reader who goes on after any event, while the run goes on, sees every unit exactly once', () => {
  const chunk = fc.record({ stream: fc.constantFrom('stdout', 'stderr'), text: fc.string({ unit: 'grapheme' }) })
  fc.assert(
    fc.property(fc.array(chunk), fc.nat(4), fc.infiniteStream(fc.nat(3)), (chunks, results, cuts) => {
      const streams = { stdout: '', stderr: '' }
      const seen: RunEvent[] = []
      // The connection may break after each event; the next reader knows only the last id.
      const read = (run: Run) => {
        const { value: cut } = cuts.next()
        for (const event of [...eventsSince(seen.at(-1)?.id ?? null, run)].slice(0, cut ?? 0)) seen.push(event)
      }
      read(queued)
      for (const { stream, text } of chunks) {
        streams[stream as 'stdout'] += text
        read(running(streams.stdout, streams.stderr))
      }
      const end = finished(streams.stdout, streams.stderr, results)
      read(end)
      seen.push(...eventsSince(seen.at(-1)?.id ?? null, end))

      expect([textOf(seen, 'stdout'), textOf(seen, 'stderr')]).toEqual([streams.stdout, streams.stderr])
      const others = typesOf(seen).filter((type) => type !== 'stdout' && type !== 'stderr')
      const told = Array.from({ length: results }, () => 'result')
      expect(others).toEqual(['run.created', 'run.started', ...told, 'artifact', 'run.completed'])
    }),
  )
})

test('an id tells every event apart', () => {
  const ids = [...eventsSince(null, finished('out', 'err'))].map(({ id }) => id)

  expect(new Set(ids).size).toBe(ids.length)
})

test.each(['', '7.0.0.0', '1.0.0', '2.-1.0.0', '2.1e3.0.0', 'next'])('the Last-Event-ID %j is refused', (id) => {
  expect(() => [...eventsSince(id, queued)]).toThrow(expect.objectContaining({ code: 'invalid_request' }))
})

describe('a feed', () => {
  test('tells what happens while it happens, to readers who come late too', async () => {
    const feed = createRunFeed(queued, 100)
    const early = collect(feed.follow(null, quiet()))
    feed.update(running('', ''))
    feed.output('stdout', 'a')
    const late = collect(feed.follow(null, quiet()))
    feed.output('stdout', 'b')
    feed.update(finished('abc', ''))

    for (const events of [await early, await late]) expect(textOf(events, 'stdout')).toBe('abc')
  })

  test('a reader who leaves ends its stream', async () => {
    const leaving = new AbortController()
    const reading = collect(createRunFeed(queued, 100).follow(null, leaving.signal))

    leaving.abort()

    expect(await codeOf(reading)).toContain('AbortError')
  })

  test('output beyond the limit is not kept, and what comes after it leaves no hole', () => {
    const feed = createRunFeed(running('', ''), 5)
    for (const text of ['abc', 'defg', 'h']) feed.output('stdout', text)

    expect(feed.snapshot().logs.stdout).toBe('abc')
    expect(isTerminal(feed.snapshot().status)).toBe(false)
  })
})
