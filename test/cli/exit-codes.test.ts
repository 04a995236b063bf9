import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { exitCodeOf, exitCodeOfRun } from '../../src/cli/exit-code.ts'
import type { ErrorCode } from '../../src/domain/error-table.ts'
import { BerthError } from '../../src/domain/errors.ts'
import { createFailure, type Run } from '../../src/domain/run.ts'
import { json, problem, startScriptedServer } from '../client/scripted-server.ts'
import { berth } from './berth-process.ts'

test.each<[ErrorCode, number]>([
  ['invalid_request', 2],
  ['unauthenticated', 2],
  ['tenant_suspended', 2],
  ['files_quota', 2],
  ['rate_limited', 75],
  ['tenant_provisioning', 75],
  ['idempotency_in_flight', 75],
  ['server_unreachable', 69],
  ['sandbox_unavailable', 69],
  ['internal', 70],
  ['config_invalid', 78],
])('%s exits with %i', (code, exitCode) => {
  expect(exitCodeOf(new BerthError(code, 'x'))).toBe(exitCode)
})

test('an unknown throw is a bug and exits with 70', () => {
  expect(exitCodeOf(new TypeError('x'))).toBe(70)
})

test("a run's own end is 1, and the platform's end of a run is not", () => {
  const failed = { status: 'failed', failure: createFailure('code_raised', 'x') } as Run
  const broken = { status: 'system_error', failure: createFailure('runner_failed', 'x') } as Run

  expect([exitCodeOfRun(failed), exitCodeOfRun(broken)]).toEqual([1, 75])
})

test('an option that does not exist exits with 2 and points to --help', async () => {
  const { code, stderr } = await berth(['runs', 'ls', '--nope'])

  expect(code).toBe(2)
  expect(stderr).toContain("unknown option '--nope'")
})

test('no key anywhere exits with 78 and says where it looked', async () => {
  const { code, stderr } = await berth(['keys', 'ls'], { env: { BERTH_DATA_DIR: '/nonexistent' } })

  expect(code).toBe(78)
  expect(stderr).toContain('/nonexistent/operator.key')
})

test.each([
  ['BERTH_URL', ['keys', 'ls'], { BERTH_URL: 'nonsense' }],
  ['BERTH_URL', ['keys', 'ls'], { BERTH_URL: 'ftp://127.0.0.1' }],
  ['--url', ['keys', 'ls', '--url', 'nonsense'], { BERTH_URL: 'http://127.0.0.1:1' }],
])('a URL that is none exits with 78 and names %s, as it was given', async (name, args, env) => {
  const { code, stderr } = await berth(args, { env: { BERTH_KEY: 'k', ...env } })

  expect(code).toBe(78)
  expect(stderr).toMatch(
    new RegExp(`^berth: ${name}: expected an http or https URL .*, got "(nonsense|ftp://127.0.0.1)"`),
  )
  expect(stderr).toContain(`Set ${name} to the URL`)
  expect(stderr).not.toContain('baseUrl')
})

test('a remedy speaks to people, not of the fields of a problem', async () => {
  const { code, stderr } = await berth(['serve', '--port', 'x'])

  expect(code).toBe(78)
  expect(stderr).toContain('BERTH_PORT: expected')
  expect(stderr).not.toContain('`detail`')
})

test.each([
  ['run', '-', '--out', '/proc/berth'],
  ['runs', 'show', 'r1', '--out', '/dev/null'],
])(
  'a folder for --out that cannot be made is told before anything is asked of the server (berth %s)',
  async (...args) => {
    await using server = await startScriptedServer([problem(500, 'internal')])
    const env = { BERTH_KEY: 'k', BERTH_TENANT: 'a', BERTH_URL: server.baseUrl }

    const { code, stderr } = await berth(args, { env, stdin: '1' })

    expect([code, server.received]).toEqual([2, []])
    expect(stderr).toMatch(
      /^berth: \/(proc\/berth|dev\/null) cannot be written: E[A-Z]+ \(invalid_request\)\n {2}Check the path/,
    )
  },
)

const bytes = (response: ServerResponse) => void response.writeHead(200).end('x')

test('a download to where nothing can be written is the fault of the path, not a bug', async () => {
  await using server = await startScriptedServer([json(200, { caller: 'service' }), bytes])
  const env = { BERTH_KEY: 'k', BERTH_TENANT: 'a', BERTH_URL: server.baseUrl }

  const { code, stderr } = await berth(['files', 'get', 'a.csv', '/nonexistent/a.csv'], { env })

  expect([code, stderr.split('\n')[0]]).toEqual([
    2,
    'berth: /nonexistent/a.csv cannot be written: ENOENT (invalid_request)',
  ])
})

test('nobody to act for exits with 2 and names the flag', async () => {
  const { code, stderr } = await berth(['files', 'ls'], { env: { BERTH_KEY: 'k' } })

  expect(code).toBe(2)
  expect(stderr).toContain('--tenant alice')
})

test('a problem of the server is one line, its remedy and its request, and with --json one object', async () => {
  await using server = await startScriptedServer([problem(403, 'forbidden')])
  const env = { BERTH_KEY: 'k', BERTH_URL: server.baseUrl }

  const people = await berth(['keys', 'ls'], { env })
  const programs = await berth(['keys', 'ls', '--json'], { env })

  expect(people).toMatchObject({ code: 2, stdout: '' })
  expect(people.stderr).toBe('berth: detail of forbidden (forbidden)\n  remedy of forbidden\n  request q1\n')
  expect(JSON.parse(programs.stdout)).toMatchObject({
    error: { code: 'forbidden', remedy: 'remedy of forbidden', requestId: 'q1' },
  })
})

test('all fields at fault are listed', async () => {
  const errors = [
    { pointer: '/name', detail: 'expected text' },
    { pointer: '/role', detail: 'expected operator or service' },
  ]
  await using server = await startScriptedServer([json(400, { code: 'invalid_request', detail: 'two faults', errors })])

  const { stderr } = await berth(['keys', 'create', 'x'], { env: { BERTH_KEY: 'k', BERTH_URL: server.baseUrl } })

  expect(stderr).toContain('  /name: expected text\n  /role: expected operator or service\n')
})

test('a name that plays with the terminal is shown, not obeyed', async () => {
  const key = {
    id: 'k1',
    name: '\u001b]0;evil\u0007\u202E',
    role: 'service',
    project: 'p',
    createdAt: '',
    lastUsedAt: null,
    revokedAt: null,
  }
  await using server = await startScriptedServer([json(200, { data: [key] })])

  const { stdout } = await berth(['keys', 'ls'], { env: { BERTH_KEY: 'k', BERTH_URL: server.baseUrl } })

  expect(stdout).toContain(String.raw`\x1b]0;evil\x07\u{202e}`)
  expect(stdout).not.toContain('\u001b')
})
