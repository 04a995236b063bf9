import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type ClientRequest, request } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { supabaseChange } from '../support/provider-payloads.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'

const token = randomBytes(24).toString('hex')
const path = '/v1/hooks/identity/supabase'
const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` }

let server: RunningServer
beforeAll(async () => {
  server = await startServer({
    BERTH_HOOK_SOURCES: JSON.stringify([{ name: 'supabase', provider: 'supabase', project: 'p', bearer: [token] }]),
    BERTH_SPARES: '0',
  })
})
afterAll(() => server[Symbol.asyncDispose]())

/** A stranger who announces a large body and never sends it. Resolves once the server waits for it. */
const hold = async (): Promise<ClientRequest> => {
  const held = request(`${server.url}${path}`, {
    method: 'POST',
    agent: false,
    headers: { 'Content-Type': 'application/json', 'Content-Length': 200_000, Expect: '100-continue' },
  })
  held.on('error', () => undefined)
  held.flushHeaders()
  await once(held, 'continue')
  return held
}
const send = (uid: string, padding: string) =>
  server.call('POST', path, { headers, json: { ...supabaseChange('INSERT', uid), padding } })

test('strangers have few large bodies at once, which stops no small one, and large ones for as long as that', async () => {
  const large = 'x'.repeat(100_000)
  const held = await Promise.all(Array.from({ length: 16 }, hold))
  const refused = await send('large', large)
  const untold = await server.call('POST', path, { headers, body: new Blob(['{}']).stream() })
  const small = await send('small', '')

  expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited' } })
  expect(refused.headers.get('Retry-After')).toBe('2')
  expect([untold.status, small.status]).toEqual([429, 202])

  for (const one of held) one.destroy()
  await expect.poll(async () => (await send('large', large)).status).toBe(202)
})
