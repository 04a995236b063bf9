// @module-tag aws-local
import { expect, test } from 'vitest'
import type { ImageContent } from '../../scripts/aws-local/images.ts'
import { openSite, PATIENTLY } from './aws-site.ts'
import { openMeetingPoint, WAITING_IMAGE } from './meeting-point.ts'

const TELLS_KEY: ImageContent = {
  kind: 'handler',
  source: 'import os\ndef handler(event, context):\n    return os.environ["AWS_ACCESS_KEY_ID"]\n',
}

test('an environment ends before its credentials do, and the next one has new ones', async () => {
  await using site = await openSite({ maxAgeMs: 0 })
  const name = await site.makeFunction(TELLS_KEY)

  const [first, second] = [(await site.invoke(name)).json, (await site.invoke(name)).json]

  expect(first).not.toBe(second)
})

test('an environment that nobody uses ends', async () => {
  await using site = await openSite({ idleMs: 1 })
  await site.invoke(await site.makeFunction(TELLS_KEY))

  await expect.poll(() => site.aws.standIn.environments(), PATIENTLY).toBe(0)
})

test('there are never more environments than allowed: a run waits, and an idle one of another function makes room', async () => {
  await using site = await openSite({ maxEnvironments: 2 })
  await using meetingPoint = await openMeetingPoint()
  const [held, other] = [await site.makeFunction(WAITING_IMAGE), await site.makeFunction(TELLS_KEY)]
  const first = site.invoke(held, { url: meetingPoint.url })
  await meetingPoint.gathered(1)
  await site.invoke(other)

  const second = site.invoke(held, { url: meetingPoint.url })
  await meetingPoint.gathered(2)
  const third = site.invoke(other)
  const most = site.aws.standIn.environments()
  meetingPoint.letGo()

  expect([(await first).json, (await second).json]).toEqual(['met', 'met'])
  expect((await third).functionError).toBeUndefined()
  expect(most).toBe(2)
})
