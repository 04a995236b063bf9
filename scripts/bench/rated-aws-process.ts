/**
 * A fleet behind Lambda's rates in a process of its own: tells its port. It has no clock but that of who asks: each request tells when it left.
 * `GET /seen` says what it saw.
 */
import type { AddressInfo } from 'node:net'
import { type Answer, type Asked, createInstantAws, json } from './instant-aws.ts'
import { createRatedFleet, imageOf, SENT_AT } from './rated-fleet.ts'

let nowMs = 0
const numberOf = (name: string): number => Number(process.env[name])
const fleet = createRatedFleet({
  count: numberOf('BENCH_COUNT'),
  done: numberOf('BENCH_DONE'),
  settleMs: numberOf('BENCH_SETTLE_MS'),
  clock: { monotonicMs: () => nowMs },
})
let wanted = JSON.stringify({ image: imageOf(1), version: 1, fence: 0 })

/** The parameter with the wanted image, which a rollout writes. */
const parameter = ({ request, body }: Asked): Answer | null => {
  const action = request.headers['x-amz-target']
  if (action === 'AmazonSSM.GetParameter') return json({ Parameter: { Name: '/berth', Type: 'String', Value: wanted } })
  if (action !== 'AmazonSSM.PutParameter') return null
  wanted = (JSON.parse(body.toString()) as { Value: string }).Value
  return json({ Version: 1 })
}

const server = createInstantAws((asked) => {
  nowMs = Math.max(nowMs, Number(asked.request.headers[SENT_AT] ?? 0))
  if (asked.path === '/seen') return json({ ...fleet.seen, onNew: fleet.running(2) })
  return parameter(asked) ?? fleet.answer(asked)
})
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))
process.once('disconnect', () => process.exit())
