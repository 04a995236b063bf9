import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createStackBerths } from '../../src/backends/lambda/stack-berths.ts'
import { createRandomIds } from '../../src/main/random-ids.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'
import { widthOf } from '../../src/cli/table.ts'
import { quiet } from '../contract/content.ts'
import { type AwsCell, openAwsCell, quickPoll } from '../support/aws-cell.ts'
import { type AwsLocal, startAwsLocal } from '../support/aws-local.ts'
import { berthOnTerminal, CTRL_C } from './on-terminal.ts'
import { screenOf } from './screen.ts'

const clock = createSystemClock()

describe('berth rollout start at a terminal', { tags: ['terminal', 'aws-local'] }, () => {
  let aws: AwsLocal
  let home: AwsCell
  let image: string
  /** Three berths on version 2, and the next image. */
  beforeAll(async () => {
    aws = await startAwsLocal()
    home = await openAwsCell(aws, { deployment: 'seen' })
    await home.wantedImage.write({ image: home.image, version: 2, fence: 0 }, { signal: quiet() })
    const berths = createStackBerths({ ...home, clock }, { pollMs: quickPoll })
    const ids = createRandomIds(clock)
    await Promise.all([1, 2, 3].map(() => berths.create(ids.berthId(), { signal: quiet() })))
    const repository = home.cell.foundation.repositoryUri.split('/').slice(1).join('/')
    image = await aws.image('next', { kind: 'runner', version: 3 }, repository)
  })
  afterAll(async () => {
    await home?.[Symbol.asyncDispose]()
    await aws?.[Symbol.asyncDispose]()
  })

  const start = (columns: number, env: Readonly<Record<string, string>> = {}, ...flags: readonly string[]) => {
    const args = ['rollout', 'start', '--deployment', 'seen', '--image', image, '--image-version', '3', ...flags]
    return berthOnTerminal(args, { ...aws.env, ...env }, columns)
  }

  test('it is drawn in place; Ctrl-C leaves the picture and says how to go on; the same command goes on to the end', async () => {
    using fault = aws.control.fault({ kind: 'hold', action: 'UpdateFunctionCode' })
    const held = start(80, {}, '--settle-seconds', '1')
    await held.shows('2 of 3')
    held.type(CTRL_C)
    const interrupted = await held.ended()
    fault.release()
    const done = await start(80, {}, '--settle-seconds', '1').ended()

    const picture = screenOf(interrupted.raw)
    expect(interrupted.code).toBe(130)
    expect(picture.filter((line) => line.startsWith('rollout'))).toEqual(['rollout of version 3: updating'])
    expect(picture).toContainEqual(expect.stringMatching(/^ring {6}█+░+ 2 of 3$/))
    expect(picture).toContainEqual(expect.stringMatching(/^fleet {5}2 on sha256:[0-9a-f]{12}… \(the target\)$/))
    expect(picture).toContainEqual(expect.stringMatching(/^rate {6}\d+\.\d\/s of [\d.]+\/s/))
    expect(picture).toContain('nothing is half done: the same command goes on, berth rollout status shows the fleet')
    // Control: without the movements of the cursor more than one picture would stand there.
    expect(interrupted.screen.match(/rollout(?: of version 3)?: /g)?.length).toBeGreaterThan(1)
    expect(done.code, done.screen).toBe(0)
    // The picture has gone, and the answer stands there alone.
    expect(screenOf(done.raw)[0]).toMatch(/^done: version 3, 1 updated of 3 berths$/)
  })

  test('on forty columns without colours no line is broken, and none is coloured', async () => {
    const { code, raw } = await start(40, { NO_COLOR: '1' }, '--dry-run').ended()

    expect(code, raw).toBe(0)
    const drawn = raw.slice(0, raw.indexOf('planned: version'))
    expect(drawn).toContain('ring')
    // oxlint-disable-next-line no-control-regex
    for (const line of drawn.split(/\r?\n|\u001B\[\d*[A-Za-z]/)) expect(widthOf(line), line).toBeLessThan(40)
    expect(drawn).not.toContain('m')
  })

  test('a terminal that cannot move its cursor gets plain lines', async () => {
    const { code, raw } = await start(80, { TERM: 'dumb', NO_COLOR: '1' }, '--dry-run').ended()

    expect(code, raw).toBe(0)
    expect(raw).toContain('reading the fleet …')
    expect(raw).not.toContain('\u001b')
  })
})
