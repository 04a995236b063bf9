import { InvokeCommand } from '@aws-sdk/client-lambda'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { quiet } from '../contract/content.ts'
import { type Asked, openScriptedCell, type ScriptedCell } from '../backends/lambda/scripted-endpoint.ts'

const FUNCTION = 'arn:aws:lambda:eu-central-1:000000000000:function:berth-1'
const event = { text: 'ä ≠ +/%', list: [1, 2] }

let site: ScriptedCell
beforeAll(async () => {
  site = await openScriptedCell()
})
afterAll(() => site?.[Symbol.asyncDispose]())
beforeEach(() => {
  site.endpoint.asked.splice(0)
  site.endpoint.script = (_, response) => void response.end('{}')
})

const signedOf = ({ headers }: Asked): readonly string[] =>
  /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '')?.[1]?.split(';') ?? []

const askedBySdk = async (): Promise<Asked | undefined> => {
  const Payload = Buffer.from(JSON.stringify(event))
  await site.cell.clients.invoke.send(new InvokeCommand({ FunctionName: FUNCTION, TenantId: 'one', Payload }))
  return site.endpoint.asked.shift()
}

const askedByBerth = async (): Promise<Asked | undefined> => {
  const call = { functionName: FUNCTION, tenantId: 'one', event, signal: quiet() }
  await site.cell.clients.invokeFunction(call, () => null)
  return site.endpoint.asked.shift()
}

test('a function is invoked at the same address, with the same words, as the SDK does', async () => {
  const [sdk, berth] = [await askedBySdk(), await askedByBerth()]
  if (sdk === undefined || berth === undefined) throw new Error('expected two requests')

  expect({ method: berth.method, url: berth.url, body: berth.body, host: berth.headers.host }).toEqual({
    method: sdk.method,
    url: sdk.url,
    body: sdk.body,
    host: sdk.headers.host,
  })
  expect(berth.headers['x-amz-tenant-id']).toBe(sdk.headers['x-amz-tenant-id'])
  expect(berth.headers['content-type']).toBe(sdk.headers['content-type'])
  expect(signedOf(berth)).toEqual(
    expect.arrayContaining(['host', 'x-amz-content-sha256', 'x-amz-date', 'x-amz-tenant-id']),
  )
})

test("after a refusal that shows AWS's clock, requests are signed at AWS's time", async () => {
  const awsTime = new Date(Date.now() + 3_600_000)
  site.endpoint.script = (_, response) => {
    response.writeHead(403, { date: awsTime.toUTCString(), 'x-amzn-errortype': 'InvalidSignatureException' }).end('{}')
  }
  await expect(askedByBerth()).rejects.toMatchObject({ name: 'InvalidSignatureException' })
  site.endpoint.asked.splice(0)
  site.endpoint.script = (_, response) => void response.end('{}')

  const asked = await askedByBerth()

  const hour = awsTime.toISOString().replaceAll(/[-:]/g, '').slice(0, 11)
  const next = new Date(awsTime.getTime() + 60_000).toISOString().replaceAll(/[-:]/g, '').slice(0, 11)
  expect([hour, next]).toContain(String(asked?.headers['x-amz-date']).slice(0, 11))
})
