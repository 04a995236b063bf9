import { expect, test } from 'vitest'
import { type Answer, untilAnswered } from '../../scripts/live-smoke/embedded-server.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'

const answer = (status: number, body: unknown): Answer => ({
  status,
  headers: new Headers(),
  text: typeof body === 'string' ? body : JSON.stringify(body),
})

/** Answers in turn, each a second after the one before. */
const wait = async (answers: readonly Answer[], withinMs: number) => {
  const said: string[] = []
  let nowMs = 0
  const clock = {
    ...createSystemClock(),
    monotonicMs: () => nowMs,
    sleep: async (ms: number) => void (nowMs += ms),
  }
  const left = [...answers]
  const last = untilAnswered(async () => left.shift() ?? answer(500, 'none left'), {
    wanted: 200,
    later: [503],
    withinMs,
    clock,
    say: (line) => said.push(line),
    signal: new AbortController().signal,
  })
  return { said, last: await last.catch((error: unknown) => error) }
}

test('what is waited for is told when the reason changes, and every half a minute while it stays', async () => {
  const making = answer(503, { code: 'berth_not_ready', detail: 'Its stack is being made.' })
  const { said, last } = await wait(
    [answer(503, 'gateway'), ...Array.from({ length: 32 }, () => making), answer(200, 'done')],
    60_000,
  )

  expect(said).toEqual([
    'waiting for 0 s: HTTP 503',
    'waiting for 1 s: berth_not_ready: Its stack is being made.',
    'waiting for 31 s: berth_not_ready: Its stack is being made.',
  ])
  expect(last).toMatchObject({ status: 200 })
})

test('an answer that does not mean "later" ends the wait, and so does the time', async () => {
  const later = answer(503, { code: 'berth_not_ready' })

  expect((await wait([answer(403, 'no')], 60_000)).last).toMatchObject({ message: 'HTTP 403: no' })
  expect((await wait([later, later, later, later], 2000)).last).toMatchObject({
    message: 'HTTP 503: {"code":"berth_not_ready"}',
  })
})
