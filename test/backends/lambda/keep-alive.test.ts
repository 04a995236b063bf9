import * as fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createKeepAlive, hasTurn } from '../../../src/backends/lambda/keep-alive.ts'
import type { BerthId } from '../../../src/domain/ids.ts'
import { quiet } from '../../contract/content.ts'
import { createEventLog } from '../../support/event-log.ts'
import { functionAnswer, lambdaError, openScriptedCell, type ScriptedCell } from './scripted-endpoint.ts'

const DAY_MS = 86_400_000
const PERIOD_MS = 6 * DAY_MS

let site: ScriptedCell
beforeAll(async () => {
  site = await openScriptedCell()
})
afterAll(() => site?.[Symbol.asyncDispose]())
beforeEach(() => void site.endpoint.asked.splice(0))

const at = (ms: number) => new Date(Date.UTC(2026, 0, 1) + ms)

test('every berth has exactly one turn in each period, however the time is cut', () => {
  const cuts = fc.array(fc.integer({ min: 1, max: PERIOD_MS - 1 }), { maxLength: 10 })
  fc.assert(
    fc.property(cuts, fc.integer({ min: 0, max: 1000 }), (middle, period) => {
      const berthId = site.ids.berthId()
      const times = [0, ...middle.toSorted((one, other) => one - other), PERIOD_MS].map((ms) => ms + period * PERIOD_MS)
      const turns = times
        .slice(1)
        .filter((until, index) => hasTurn(berthId, { since: at(times[index] ?? 0), until: at(until) }))

      expect(turns).toHaveLength(1)
    }),
  )
})

test('turns of many berths are spread over the period', () => {
  const berths = Array.from({ length: 6000 }, () => site.ids.berthId())
  const perDay = Array.from(
    { length: 6 },
    (_, day) =>
      berths.filter((berthId) => hasTurn(berthId, { since: at(day * DAY_MS), until: at((day + 1) * DAY_MS) })).length,
  )

  // Eight standard deviations from 1,000.
  for (const count of perDay) expect(Math.abs(count - 1000)).toBeLessThan(250)
})

/** Functions of these berths, each answering as told. */
const serve = (berths: ReadonlyMap<BerthId, 'answers' | 'sleeps' | 'breaks'>) => {
  site.endpoint.script = ({ url }, response) => {
    const berthId = [...berths.keys()].find((id) => url.includes(id))
    if (berthId === undefined)
      return void response.end(
        JSON.stringify({ Functions: [...berths.keys()].map((id) => ({ FunctionName: `berth-${id}` })) }),
      )
    const how = berths.get(berthId)
    if (how === 'answers') return functionAnswer(response, { payload: { kind: 'pong' } })
    const name = how === 'sleeps' ? 'CodeArtifactUserPendingException' : 'AccessDeniedException'
    return lambdaError(response, { status: how === 'sleeps' ? 409 : 403, name })
  }
}

const invoked = () => site.endpoint.asked.filter(({ url }) => url.includes('/invocations'))

test('those whose turn it is are invoked once with a ping, whatever becomes of the others', async () => {
  const [answers, sleeps, breaks] = [site.ids.berthId(), site.ids.berthId(), site.ids.berthId()]
  serve(
    new Map([
      [breaks, 'breaks'],
      [sleeps, 'sleeps'],
      [answers, 'answers'],
    ]),
  )
  const keepAlive = createKeepAlive(site.cell, { clock: site.clock, events: createEventLog() })

  const count = await keepAlive.take({ since: at(0), until: at(PERIOD_MS), signal: quiet() })

  expect(count).toEqual({ answered: 1, waking: 1, failed: 1 })
  expect(invoked().map(({ body }) => JSON.parse(body))).toEqual(
    Array.from({ length: 3 }, () => ({ protocol: 1, kind: 'ping' })),
  )
})

test('no berth is invoked before its turn', async () => {
  serve(new Map([[site.ids.berthId(), 'answers']]))
  const keepAlive = createKeepAlive(site.cell, { clock: site.clock, events: createEventLog() })

  expect(await keepAlive.take({ since: at(0), until: at(0), signal: quiet() })).toEqual({
    answered: 0,
    waking: 0,
    failed: 0,
  })
  expect(invoked()).toEqual([])
})

test('a server takes the turns of the day before its start, then each hour those that came; a failure is made up for', async () => {
  const stop = new AbortController()
  const log = createEventLog()
  const berths = Array.from({ length: 60 }, () => site.ids.berthId())
  serve(new Map(berths.map((berthId) => [berthId, 'answers'])))
  const { script } = site.endpoint
  let hours = 0
  const clock = {
    ...site.clock,
    now: () => at(hours * 3_600_000),
    sleep: async () => {
      hours += 1
      // For two hours AWS does not list; then it does again.
      site.endpoint.script =
        hours === 5 || hours === 6
          ? (_, response) => lambdaError(response, { status: 403, name: 'AccessDeniedException' })
          : script
      if (hours > 6 * 24) stop.abort(new Error('enough'))
      stop.signal.throwIfAborted()
    },
  }

  await expect(createKeepAlive(site.cell, { clock, events: log }).start(stop.signal)).rejects.toThrow('enough')

  const turns = (since: number, until: number) =>
    berths.filter((berthId) => hasTurn(berthId, { since: at(since), until: at(until) })).length
  expect(log.codes().filter((code) => code === 'berth.keep_alive_failed')).toHaveLength(2)
  expect(invoked()).toHaveLength(turns(-DAY_MS, 0) + turns(0, PERIOD_MS))
})
