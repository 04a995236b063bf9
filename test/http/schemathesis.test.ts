import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningServer, startServer } from '../support/running-server.ts'

const program = resolve(import.meta.dirname, '../../.venv/bin/schemathesis')
const unlessMissing = existsSync(program) ? {} : { skip: true, meta: { whySkipped: 'schemathesis is not installed' } }
let server: RunningServer

beforeAll(async () => {
  server = await startServer({ BERTH_RATE_PER_MINUTE: '100000' })
  await server.operator('POST', '/v1/tenants', { json: { project: 'demo', uid: 'schema' } })
})

afterAll(() => server[Symbol.asyncDispose]())

/**
 * Sends what OpenAPI allows, and what it forbids, and compares every answer with it. Left out is the check that whatever the
 * schema allows is accepted: what makes a good file name or a percent-encoded header can't be said in JSON Schema; and the one
 * that calls without a key: so many of them are answered 429 instead of 401, and `who-may-call` tests them one by one.
 */
const explore = async (headers: readonly string[]): Promise<{ exitCode: number; output: string }> => {
  // It keeps a database of examples in the working directory.
  const cwd = await mkdtemp(join(tmpdir(), 'berth-schemathesis-'))
  const child = spawn(
    program,
    [
      'run',
      `${server.url}/openapi.json`,
      ...headers.flatMap((header) => ['--header', header]),
      '--phases=examples,coverage,fuzzing',
      '--max-examples=10',
      '--seed=1',
      // How long a machine takes to think of examples says nothing of the answers.
      '--suppress-health-check=too_slow',
      '--no-color',
      '--exclude-checks=positive_data_acceptance,missing_required_header',
    ],
    { cwd, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text))
  const [exitCode] = await once(child, 'close')
  await rm(cwd, { recursive: true, force: true })
  return { exitCode, output }
}

test('every answer to a service is one that OpenAPI describes', { timeout: 600_000, ...unlessMissing }, async () => {
  const { exitCode, output } = await explore([`Authorization: Bearer ${server.serviceKey}`, 'Berth-Tenant: schema'])

  expect(exitCode, output).toBe(0)
})

test('every answer to an operator is one that OpenAPI describes', { timeout: 600_000, ...unlessMissing }, async () => {
  const { exitCode, output } = await explore([`Authorization: Bearer ${server.operatorKey}`])

  expect(exitCode, output).toBe(0)
})
