import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createInstantAws } from '../../../scripts/bench/instant-aws.ts'
import { createPacerLog } from '../../../scripts/bench/pacer-log.ts'
import { createPacer } from '../../../src/aws/pacer.ts'
import { awsRates } from '../../../src/aws/pacer-rates.ts'
import { createStackBerths, stackWork } from '../../../src/backends/lambda/stack-berths.ts'
import type { Berths } from '../../../src/domain/ports/berths.ts'
import type { Clock } from '../../../src/domain/ports/clock.ts'
import { connectAwsCell } from '../../support/aws-cell.ts'
import { externalId, openProvisioningSite, type ProvisioningSite } from '../../support/provisioning-site.ts'
import { createScaledClock } from '../../../scripts/bench/scaled-clock.ts'
import { setVariables } from '../../support/set-variables.ts'

const SIGN_UPS = 1000
/** 1,000 stacks at 4 a second take over four minutes; so much faster does the clock run. */
const SCALE = 16
/** Of sums of fractions, in tokens. */
const ROUNDING = 1e-6

let aws: Server
let variables: Disposable
let home: Awaited<ReturnType<typeof connectAwsCell>>

/**
 * Stands still within one turn of the event loop. Between a grant and its note here lie other promises' callbacks, and on a loaded
 * machine they take long; read from this clock, the grant and its note are at the same time, so budgets are checked to the token.
 */
const stillWithinTurn = (clock: Clock): Clock => {
  let readMs: number | null = null
  return {
    ...clock,
    monotonicMs: () => {
      if (readMs === null) setImmediate(() => (readMs = null))
      return (readMs ??= clock.monotonicMs())
    },
  }
}

const clock = stillWithinTurn(createScaledClock(SCALE))
const log = createPacerLog(createPacer({ clock }), clock)

// Stacks are whole at once here: what is held is Berth's pace, through the real SDK and the real pacer.
beforeAll(async () => {
  aws = createInstantAws().listen(0, '127.0.0.1')
  await once(aws, 'listening')
  const { port } = aws.address() as AddressInfo
  const [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY] = ['test', 'test']
  variables = setVariables({ AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY })
  home = await connectAwsCell({ region: 'eu-west-1', clock, pacer: log.pacer })
})
afterAll(() => {
  home?.clients[Symbol.dispose]()
  aws?.closeAllConnections()
  aws?.close()
  variables?.[Symbol.dispose]()
})

const countOf = (site: ProvisioningSite, code: string) => site.log.codes().filter((told) => told === code).length

test('a thousand sign-ups in one go end with a thousand berths, and no pool is ever above its budget', async () => {
  const stacks = createStackBerths({ ...home, clock })
  // The site's self-test looks for the berth's resources; a real one is an invoke, which no pool counts.
  const berths: Berths = { ...stacks, find: async (berthId) => ({ berthId, partial: false }) }
  const settings = { ...stackWork, maxBerths: 2 * SIGN_UPS, leaseMs: 3_600_000, pollMs: 1000 }
  await using site = await openProvisioningSite({ ...settings, berths, clock })
  site.work()

  await Promise.all(
    Array.from({ length: SIGN_UPS }, (_, index) => site.provisioner.signUp(externalId(`${index}`), null)),
  )
  while (countOf(site, 'berth.ready') < SIGN_UPS) await site.log.next('berth.ready')

  expect(await site.store.berths.countByState()).toMatchObject({ ready: SIGN_UPS, provisioning: 0, failed: 0 })
  expect(countOf(site, 'berth.failed')).toBe(0)
  expect(log.excess()).toBeLessThanOrEqual(ROUNDING)
  // It was these that were counted, and at the pace of 4 a second they can't have been over sooner.
  expect(log.spanMs('stackChanges')).toBeGreaterThan(((SIGN_UPS - 2) / awsRates.stackChanges.perSecond) * 1000)
}, 600_000)
