import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startScriptedServer, type Step } from '../client/scripted-server.ts'
import { type AwsLocal, startAwsLocal } from '../support/aws-local.ts'
import { berthOnTerminal, CTRL_C } from './on-terminal.ts'

const silent: Step = () => undefined
describe('at a terminal', { tags: ['terminal', 'aws-local'] }, () => {
  let aws: AwsLocal
  beforeAll(async () => {
    aws = await startAwsLocal()
  })
  afterAll(() => aws?.[Symbol.asyncDispose]())

  const destroy = (deployment: string) => berthOnTerminal(['destroy', '--deployment', deployment], aws.env)
  const init = (deployment: string, ...flags: string[]) =>
    berthOnTerminal(['init', '--deployment', deployment, ...flags], aws.env)

  test('Ctrl-C while a command waits interrupts it, and the shell learns so', async () => {
    await using server = await startScriptedServer([silent])
    const waiting = berthOnTerminal(['reconcile'], { BERTH_KEY: 'k', BERTH_URL: server.baseUrl })
    await waiting.shows('comparing')
    waiting.type(CTRL_C)

    const { code, screen } = await waiting.ended()

    expect(code).toBe(130)
    expect(screen).toContain('berth: interrupted')
  })

  test('Ctrl-C for an answer interrupts; "no" is an answer; neither leaves anything behind, and "yes" goes ahead', async () => {
    const asked = init('asked')
    await asked.shows('Go ahead?')
    asked.type(CTRL_C)
    const interrupted = await asked.ended()
    const declining = init('asked')
    await declining.shows('Go ahead?')
    declining.type('n')
    const declined = await declining.ended()
    const accepting = init('asked')
    await accepting.shows('stack asked-foundation would be made')
    await accepting.shows('Go ahead?')
    accepting.type('y')
    const accepted = await accepting.ended()

    expect([interrupted.code, declined.code, accepted.code]).toEqual([130, 0, 0])
    expect(interrupted.screen).toContain('berth: interrupted')
    expect(declined.screen).toContain('nothing was changed')
    expect(accepted.screen).toContain('BERTH_CELLS=')
  })

  test('what an interrupted plan has begun is taken back', async () => {
    const takenBack = () => aws.control.requests()['cloudformation:DeleteChangeSet'] ?? 0
    const before = takenBack()
    using fault = aws.control.fault({ action: 'DescribeChangeSet', kind: 'hold' })
    const planning = init('planned')
    await fault.firstFired
    planning.type(CTRL_C)

    const { code } = await planning.ended()

    expect(code).toBe(130)
    expect(takenBack()).toBe(before + 1)
  })

  test('destroy deletes only when the name of the deployment is typed', async () => {
    await init('typed', '--yes').ended()
    const wrong = destroy('typed')
    await wrong.shows('Type the name of the deployment (typed)')
    wrong.type('yes\r')
    const right = destroy('typed')
    await right.shows('Type the name of the deployment (typed)')
    right.type('typed\r')

    expect((await wrong.ended()).screen).toContain('nothing was deleted')
    expect((await right.ended()).screen).toContain('deployment typed in')
  })
})
