import { InvokeCommand } from '@aws-sdk/client-lambda'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createSigner, type SigningIdentity } from '../../src/aws/signature.ts'
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

const identity = { accessKeyId: 'test', secretAccessKey: 'test' }

/** The signature of what came in, as ours: over the headers that it says are signed, at the time that it tells. */
const signedAgain = ({ method, url, headers, body }: Asked, who: SigningIdentity = identity): string | undefined => {
  const names = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '')?.[1]?.split(';') ?? []
  const kept = names.filter((name) => name !== 'x-amz-date').map((name) => [name, String(headers[name])])
  const time = String(headers['x-amz-date']).replace(/(....)(..)(..T..)(..)(..Z)/, '$1-$2-$3:$4:$5')
  const request = { method, path: url, headers: Object.fromEntries(kept), body: Buffer.from(body) }
  return createSigner('eu-central-1', 'lambda')(request, who, new Date(time))['authorization']
}

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

test("a signature is the SDK's own for the same request, and another for another secret", async () => {
  const asked = await askedBySdk()
  if (asked === undefined) throw new Error('expected a request')

  expect(signedAgain(asked)).toBe(asked.headers.authorization)
  expect(signedAgain({ ...asked, body: `${asked.body} ` })).not.toBe(asked.headers.authorization)
  expect(signedAgain(asked, { ...identity, secretAccessKey: 'other' })).not.toBe(asked.headers.authorization)
})

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
  expect(signedAgain(berth)).toBe(berth.headers.authorization)
})

test('the token of a session is sent and signed', () => {
  const request = { method: 'POST', path: '/', headers: { host: 'h' }, body: Buffer.alloc(0) }
  const sign = createSigner('eu-central-1', 'lambda')
  const headers = sign(request, { ...identity, sessionToken: 'token' }, new Date(0))

  expect(headers['x-amz-security-token']).toBe('token')
  expect(headers['authorization']).toContain('SignedHeaders=host;x-amz-date;x-amz-security-token,')
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
