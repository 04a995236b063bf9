import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createSignatureDoor } from '../../src/identity/hook-door.ts'
import { parseHookSecret } from '../../src/identity/hook-signature.ts'
import { readCognitoEvent } from '../../src/identity/providers/cognito.ts'
import { cognitoConfirmation } from '../support/provider-payloads.ts'

const secret = `whsec_${randomBytes(32).toString('base64')}`

/** The indented code under a heading of the documentation, from its first line on. */
const codeOf = async (firstLine: string): Promise<string> => {
  const page = await readFile(new URL('../../docs/identity-providers.md', import.meta.url), 'utf8')
  const lines = page.split('\n')
  const rest = lines.slice(lines.indexOf(`    ${firstLine}`))
  const end = rest.findIndex((line) => !line.startsWith('    '))
  return rest
    .slice(0, end)
    .map((line) => line.slice(4))
    .join('\n')
}

let folder: string
let received: unknown[]
let answer: number
let url: string
const door = createSignatureDoor([parseHookSecret(secret) ?? Buffer.alloc(0)])
const take = async (body: Buffer, { headers }: IncomingMessage): Promise<number> => {
  try {
    const { eventId } = await door.verify({ body, header: (name) => headers[name]?.toString(), now: new Date() })
    received.push({ eventId, body: JSON.parse(body.toString()) })
    return answer
  } catch {
    return 401
  }
}
const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request
    .on('data', (chunk: Buffer) => chunks.push(chunk))
    .on('end', () => {
      void take(Buffer.concat(chunks), request).then((status) => response.writeHead(status).end())
    })
})

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-documented-'))
  received = []
  answer = 202
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}`
})
afterEach(async () => {
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
  await rm(folder, { recursive: true, force: true })
  vi.unstubAllEnvs()
})

const load = async (name: string, code: string): Promise<Record<string, (event: unknown) => Promise<unknown>>> => {
  await writeFile(join(folder, name), code)
  const loaded = (await import(/* @vite-ignore */ pathToFileURL(join(folder, name)).href)) as Record<string, never>
  return (loaded['default'] as never) ?? loaded
}

test("the documented function of Cognito signs what Berth's adapter reads, and sends no address", async () => {
  vi.stubEnv('BERTH_HOOK_SECRET', secret)
  vi.stubEnv('BERTH_HOOK_URL', url)
  const event = cognitoConfirmation('sub-1')
  const request = { userAttributes: { ...event.request.userAttributes, email: 'a@example.org' } }
  const { handler } = await load('cognito.mjs', await codeOf("import { createHmac } from 'node:crypto'"))

  await handler?.({ ...event, request })
  await handler?.({ ...event, triggerSource: 'PostConfirmation_ConfirmForgotPassword' })

  expect(received).toHaveLength(1)
  const [{ eventId, body }] = received as [{ eventId: string; body: unknown }]
  expect(eventId).toBe('confirmed:sub-1')
  expect(readCognitoEvent(body)).toMatchObject({ type: 'user.created', uid: 'sub-1', emailVerified: true })
  expect(JSON.stringify(body)).not.toContain('example.org')
})

test('the documented Action of Auth0 signs the canonical event, and fails when Berth does', async () => {
  const code = await codeOf("const { createHmac } = require('node:crypto')")
  const { onExecutePostUserRegistration: act } = await load('auth0.cjs', code)
  const event = {
    user: { user_id: 'auth0|abc', email: 'a@example.org', email_verified: true },
    secrets: { BERTH_HOOK_SECRET: secret, BERTH_HOOK_URL: url },
  }

  await act?.(event)
  answer = 503

  expect(received).toEqual([
    {
      eventId: 'created:auth0|abc',
      body: { type: 'user.created', data: { project: 'my-auth0', uid: 'auth0|abc', emailVerified: true } },
    },
  ])
  await expect(act?.(event)).rejects.toThrow('503')
})
