import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { freePort } from '../../../scripts/free-port.ts'
import { createCellClients } from '../../../src/aws/clients.ts'
import { invokeBerth } from '../../../src/backends/lambda/invoke-berth.ts'
import { errorTable } from '../../../src/domain/error-table.ts'
import { type BerthError, isBerthError } from '../../../src/domain/errors.ts'
import { quiet } from '../../contract/content.ts'
import { lambdaError, openScriptedCell, type ScriptedCell } from './scripted-endpoint.ts'
import { setVariables } from '../../support/set-variables.ts'

let site: ScriptedCell
beforeAll(async () => {
  site = await openScriptedCell()
})
afterAll(() => site?.[Symbol.asyncDispose]())
beforeEach(() => void site.endpoint.asked.splice(0))

const invoke = (options: { signal?: AbortSignal; deadlineMs?: number; cell?: ScriptedCell['cell'] } = {}) =>
  invokeBerth(options.cell ?? site.cell, {
    berthId: site.ids.berthId(),
    event: { kind: 'ping' },
    signal: options.signal ?? quiet(),
    ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
  })

const failureOf = async (options: Parameters<typeof invoke>[0] = {}): Promise<BerthError> => {
  const error = await invoke(options).catch((error: unknown) => error)
  if (!isBerthError(error)) throw new Error('expected an error of Berth', { cause: error })
  return error
}

const answering = (error: Parameters<typeof lambdaError>[1]) => (_: unknown, response: ServerResponse) =>
  lambdaError(response, error)

/** Words that users never need: whose platform it is and what it calls its parts. */
const platformWords = /lambda|aws|amazon|arn:|s3\b|\becr\b|\biam\b|\bkms\b|\bvpc\b|cloudformation|function|concurrency/i

interface Case {
  readonly name: string
  readonly status: number
  readonly fields?: Record<string, string>
  readonly code: string
  readonly retryAfter?: number
}

const throttled = (Reason: string, code: string, retryAfter?: number): Case => ({
  name: 'TooManyRequestsException',
  status: 429,
  fields: { Reason, message: 'Rate Exceeded.' },
  code,
  ...(retryAfter === undefined ? {} : { retryAfter }),
})

const cases: readonly Case[] = [
  throttled('ConcurrentInvocationLimitExceeded', 'backend_unavailable', 2),
  throttled('CallerRateLimitExceeded', 'backend_unavailable', 1),
  throttled('FunctionInvocationRateLimitExceeded', 'backend_unavailable', 1),
  throttled('ConcurrentSnapshotCreateLimitExceeded', 'backend_unavailable', 2),
  throttled('ReservedFunctionInvocationRateLimitExceeded', 'rate_limited', 1),
  throttled('SomethingNew', 'backend_unavailable', 2),
  // The cell reserves none, so it is 0: the tenant is suspended.
  throttled('ReservedFunctionConcurrentInvocationLimitExceeded', 'tenant_suspended'),
  { name: 'ThrottlingException', status: 400, code: 'backend_unavailable', retryAfter: 2 },
  { name: 'ResourceConflictException', status: 409, code: 'berth_waking', retryAfter: 15 },
  {
    name: 'ResourceConflictException',
    status: 409,
    fields: { Message: 'The function is currently in the following state: Failed' },
    code: 'berth_broken',
  },
  { name: 'CodeArtifactUserPendingException', status: 409, code: 'berth_waking', retryAfter: 60 },
  { name: 'ResourceNotReadyException', status: 502, code: 'berth_waking', retryAfter: 30 },
  { name: 'ENINotReadyException', status: 502, code: 'berth_waking', retryAfter: 30 },
  { name: 'SnapStartNotReadyException', status: 409, code: 'berth_waking', retryAfter: 15 },
  { name: 'CodeArtifactUserDeletedException', status: 409, code: 'berth_broken' },
  { name: 'CodeArtifactUserFailedException', status: 409, code: 'berth_broken' },
  { name: 'ResourceNotFoundException', status: 404, code: 'berth_broken' },
  { name: 'AccessDeniedException', status: 403, code: 'berth_broken' },
  { name: 'KMSAccessDeniedException', status: 502, code: 'berth_broken' },
  { name: 'KMSDisabledException', status: 502, code: 'berth_broken' },
  { name: 'KMSInvalidStateException', status: 502, code: 'berth_broken' },
  { name: 'KMSNotFoundException', status: 502, code: 'berth_broken' },
  { name: 'EC2ThrottledException', status: 502, code: 'backend_unavailable', retryAfter: 30 },
  { name: 'SubnetIPAddressLimitReachedException', status: 502, code: 'backend_unavailable', retryAfter: 30 },
  { name: 'EC2AccessDeniedException', status: 502, code: 'berth_broken' },
  { name: 'InvalidSubnetIDException', status: 502, code: 'berth_broken' },
  { name: 'RequestTooLargeException', status: 413, code: 'payload_too_large' },
  { name: 'SerializedRequestEntityTooLargeException', status: 413, code: 'payload_too_large' },
  { name: 'InvalidRequestContentException', status: 400, code: 'internal' },
  { name: 'InvalidParameterValueException', status: 400, code: 'internal' },
  { name: 'UnrecognizedClientException', status: 403, code: 'backend_unavailable', retryAfter: 5 },
  { name: 'ExpiredTokenException', status: 403, code: 'backend_unavailable', retryAfter: 5 },
  { name: 'NobodyKnowsException', status: 400, code: 'internal' },
  { name: 'ServiceException', status: 500, code: 'runner_failed' },
  { name: 'ServiceUnavailableException', status: 503, code: 'runner_failed' },
]

describe('an invoke that AWS refuses', () => {
  test.each(cases)('with $name $fields.Reason is $code', async ({ name, status, fields = {}, code, retryAfter }) => {
    site.endpoint.script = answering({ status, name, fields })

    const error = await failureOf()

    expect(error.code).toBe(code)
    expect(error.retryAfterSeconds).toBe(retryAfter)
    expect(error.message).not.toMatch(platformWords)
    expect(error.data).toMatchObject({ awsError: name, requestId: 'request-1', cell: 'scripted' })
    // Only where AWS itself broke is it unknown whether the code began.
    expect(error.data['started']).toBe(code === 'runner_failed' ? null : false)
    expect(site.endpoint.asked).toHaveLength(1)
  })

  test('is retryable exactly where a repeat can help, by the table of errors', () => {
    const retryable = cases.filter(({ code }) => errorTable[code as keyof typeof errorTable].retryable)

    expect(new Set(retryable.map(({ code }) => code))).toEqual(
      new Set(['backend_unavailable', 'rate_limited', 'berth_waking', 'runner_failed', 'internal']),
    )
  })

  test('for all its reserved concurrency is rate_limited where the cell reserves some', async () => {
    const cell = { ...site.cell, functions: { ...site.cell.functions, reservedConcurrency: 2 } }
    const fields = { Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded' }
    site.endpoint.script = answering({ status: 429, name: 'TooManyRequestsException', fields })

    expect((await failureOf({ cell })).code).toBe('rate_limited')
  })

  test('has an entry for every error that Invoke declares', async () => {
    const declared = readFileSync(
      new URL('../../../node_modules/@aws-sdk/client-lambda/dist-types/commands/InvokeCommand.d.ts', import.meta.url),
      'utf8',
    )
    const names = new Set([...declared.matchAll(/@throws \{@link (\w+Exception)\}/g)].map(([, name = '']) => name))
    const table = readFileSync(new URL('../../../src/backends/lambda/invoke-errors.ts', import.meta.url), 'utf8')
    // What the SDK calls by these two names is told by its status.
    const byStatus = new Set(['LambdaServiceException', 'ServiceException'])

    expect(names.size).toBeGreaterThan(30)
    expect([...names].filter((name) => !byStatus.has(name) && !table.includes(name))).toEqual([])
  })
})

describe('an invoke whose connection fails', () => {
  test('before it is made has started nothing', async () => {
    using _ = setVariables({ AWS_ENDPOINT_URL: `http://127.0.0.1:${await freePort()}` })
    using clients = createCellClients({ region: 'eu-central-1', deployment: 'berth' })

    const error = await failureOf({ cell: { ...site.cell, clients } })

    expect(error).toMatchObject({ code: 'backend_unavailable', retryAfterSeconds: 5, data: { started: false } })
  })

  test('after the request was sent may have started, so nothing is sent again', async () => {
    site.endpoint.script = (_, response) => void response.destroy()

    const error = await failureOf()

    expect(error).toMatchObject({ code: 'runner_failed', data: { started: null } })
    expect(site.endpoint.asked).toHaveLength(1)
  })

  test('in the middle of the answer may have started, so nothing is sent again', async () => {
    site.endpoint.script = (_, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{"kind":', () => response.destroy())
    }

    const error = await failureOf()

    expect(error).toMatchObject({ code: 'runner_failed', data: { started: null } })
    expect(site.endpoint.asked).toHaveLength(1)
  })

  test('because the server has no credentials has started nothing', async () => {
    using _ = setVariables({ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined })
    using clients = createCellClients({ region: 'eu-central-1', deployment: 'berth' })

    const error = await failureOf({ cell: { ...site.cell, clients } })

    expect(error).toMatchObject({ code: 'backend_unavailable', data: { started: false } })
    expect(site.endpoint.asked).toEqual([])
  })
})

describe('an invoke that is not answered', () => {
  test('ends at its deadline', async () => {
    site.endpoint.script = () => {}

    expect(await failureOf({ deadlineMs: 50 })).toMatchObject({ code: 'runner_failed', data: { started: null } })
  })

  test('ends with the reason of its signal, and one that is aborted already sends nothing', async () => {
    const stop = new AbortController()
    const reason = new Error('changed my mind')
    site.endpoint.script = () => stop.abort(reason)

    await expect(invoke({ signal: stop.signal })).rejects.toBe(reason)
    await expect(invoke({ signal: stop.signal })).rejects.toBe(reason)
    expect(site.endpoint.asked).toHaveLength(1)
  })
})

test("an invoke names the caller's own function and asks for the tail of its log", async () => {
  const berthId = site.ids.berthId()
  site.endpoint.script = (_, response) => void response.end('{}')

  await invokeBerth(site.cell, { berthId, event: { a: 'ä' }, signal: quiet() })

  const [asked] = site.endpoint.asked
  expect(asked?.url).toBe(`/2015-03-31/functions/berth-${berthId}/invocations`)
  expect(asked?.headers).toMatchObject({
    'x-amz-invocation-type': 'RequestResponse',
    'x-amz-log-type': 'Tail',
  })
  expect(asked?.body).toBe('{"a":"ä"}')
})
