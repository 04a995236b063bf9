import type { ServerResponse } from 'node:http'
import { IAMClient } from '@aws-sdk/client-iam'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Cell } from '../../../src/aws/cell.ts'
import { suspendBerth } from '../../../src/backends/lambda/berth-standing.ts'
import { quiet } from '../../contract/content.ts'
import { type Asked, openScriptedCell, type ScriptedCell } from './scripted-endpoint.ts'

let site: ScriptedCell
let cell: Cell
beforeAll(async () => {
  site = await openScriptedCell()
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  const iam = new IAMClient({ region: site.cell.region, endpoint: site.endpoint.url, credentials })
  cell = { ...site.cell, clients: { ...site.cell.clients, iam } }
})
afterAll(async () => {
  cell?.clients.iam.destroy()
  await site?.[Symbol.asyncDispose]()
})

const working = { Configuration: { State: 'Active' }, Code: { ImageUri: 'image' } }

/** AWS of a berth that works, by a clock of its own. */
const aws = (date: Date | null) => (asked: Asked, response: ServerResponse) => {
  response.sendDate = false
  if (date !== null) response.setHeader('date', date.toUTCString())
  if (asked.url === '/') response.end('<PutRolePolicyResponse/>')
  else response.end(JSON.stringify(asked.method === 'GET' ? working : { ReservedConcurrentExecutions: 0 }))
}

/** Before which moment the sessions are that suspending revokes; the server's clock shows `now`. */
const revokedBefore = async (now: Date): Promise<string | undefined> => {
  site.endpoint.asked.splice(0)
  const clock = { ...site.clock, now: () => now }
  await suspendBerth({ cell, clock }, site.ids.berthId(), { priority: 'waiting', signal: quiet() })
  const sent = site.endpoint.asked.map(({ body }) => new URLSearchParams(body).get('PolicyDocument')).join()
  return /"aws:TokenIssueTime":"([^"]+)"/.exec(sent)?.[1]
}

const awsNow = new Date('2026-11-22T12:00:07Z')

test.each([
  { clock: 'slow', now: new Date('2026-11-22T10:00:00Z') },
  { clock: 'fast', now: new Date('2026-11-22T14:00:00Z') },
])("a suspension by a server whose clock is $clock revokes all sessions up to AWS's own second", async ({ now }) => {
  site.endpoint.script = aws(awsNow)

  expect(await revokedBefore(now)).toBe('2026-11-22T12:00:08.000Z')
})

test("where AWS does not tell the time, the server's counts", async () => {
  site.endpoint.script = aws(null)

  expect(await revokedBefore(new Date('2026-11-22T10:00:00.500Z'))).toBe('2026-11-22T10:00:01.000Z')
})
