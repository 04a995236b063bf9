// @module-tag aws-local
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createStackBerths, type StackBerths } from '../../../src/backends/lambda/stack-berths.ts'
import { createSystemClock } from '../../../src/main/system-clock.ts'
import { recover, type Round, runUntilKilled, SPARES, violationsOf } from '../../support/crash-check.ts'
import { type AwsCell, openAwsCell, quickPoll } from '../../support/aws-cell.ts'
import { type AwsLocal, startAwsLocal } from '../../support/aws-local.ts'
import { openProvisioningSite } from '../../support/provisioning-site.ts'

const script = join(import.meta.dirname, '../../provisioner/doomed-server.ts')
let aws: AwsLocal
let home: AwsCell
let berths: StackBerths
let dataDir = ''

beforeAll(async () => {
  aws = await startAwsLocal()
  home = await openAwsCell(aws)
  berths = createStackBerths({ ...home, clock: createSystemClock() }, { pollMs: quickPoll })
  dataDir = await mkdtemp(join(tmpdir(), 'berth-lambda-crash-'))
})
afterEach(() => aws.control.clearFaults())
afterAll(async () => {
  await home?.[Symbol.asyncDispose]()
  await aws?.[Symbol.asyncDispose]()
  await rm(dataDir, { recursive: true })
})

/** What is wrong after the server was killed and another has taken over. */
const violationsAfter = async (round: Round): Promise<readonly string[]> => {
  const acknowledged = await runUntilKilled(script, dataDir, round)
  aws.control.clearFaults()

  await using site = await openProvisioningSite({ dataDir, berths, spares: SPARES, leaseMs: 300, concurrency: 8 })
  await recover(site)

  // Awaited here, or the site would be closed under it.
  return await violationsOf(site, acknowledged)
}

describe('a server on AWS killed by SIGKILL', () => {
  // What happens in the store alone is the same with folders: test/provisioner/crash.test.ts.
  const steps = ['create', 'created', 'selfTest', 'ensured', 'destroy', 'destroyed']

  test.each(steps.map((step, index) => ({ step, nth: 2, index })))(
    'at $step leaves exactly one berth per tenant and no resource without an owner',
    async (round) => {
      expect(await violationsAfter(round)).toEqual([])
    },
  )

  // Held requests never reach AWS; those whose answer is lost have taken effect when the server dies.
  test.each([
    { action: 'CreateStack', kind: 'hold', index: 20 },
    { action: 'CreateStack', kind: 'lose_answer', index: 21 },
    { action: 'DeleteStack', kind: 'hold', index: 23 },
    { action: 'DeleteStack', kind: 'lose_answer', index: 24 },
    { action: 'ListObjectVersions', kind: 'hold', index: 25 },
  ] as const)('while $action is under way ($kind) leaves the same', async ({ action, kind, index }) => {
    const { firstFired } = aws.control.fault({ kind, action })

    expect(await violationsAfter({ step: 'never', nth: 1, index, kill: firstFired })).toEqual([])
  })
})
