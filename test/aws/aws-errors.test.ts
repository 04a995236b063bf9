import { GetFunctionCommand } from '@aws-sdk/client-lambda'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import {
  awsError,
  isAccessDenied,
  isBusy,
  isNothingToUpdate,
  isNotFound,
  isStackMissing,
  isThrottled,
  isTransient,
  orMisconfigured,
} from '../../src/aws/aws-errors.ts'
import { createCellClients } from '../../src/aws/clients.ts'
import { pacedCall } from '../../src/aws/paced-call.ts'
import type { Pacer } from '../../src/aws/pacer.ts'
import { toldToTenants } from '../../src/domain/errors.ts'
import { codeOf, quiet } from '../contract/content.ts'
import { startAwsLocal } from '../support/aws-local.ts'
import { setVariables } from '../support/set-variables.ts'

const failed = (name: string, message = '', more: object = {}) => Object.assign(new Error(message), { name, ...more })

describe('what AWS says and what it means', () => {
  test.each([
    ['Throttling', 'Rate exceeded', isThrottled],
    ['TooManyRequestsException', '', isThrottled],
    ['AccessDenied', '', isAccessDenied],
    ['AccessDeniedException', '', isAccessDenied],
    ['NoSuchEntity', '', isNotFound],
    ['ResourceNotFoundException', '', isNotFound],
    ['ValidationError', 'Stack with id x does not exist', isStackMissing],
    ['ValidationError', 'No updates are to be performed.', isNothingToUpdate],
    ['ResourceConflictException', 'An update is in progress for resource: arn', isBusy],
    ['ValidationError', 'Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated.', isBusy],
    ['TimeoutError', '', isTransient],
  ])('%s "%s"', (name, message, means) => {
    expect(means(failed(name, message))).toBe(true)
  })

  test('another ValidationError is neither a missing stack nor nothing to update', () => {
    const error = failed('ValidationError', 'Template format error')

    expect([isStackMissing(error), isNothingToUpdate(error), isBusy(error), isTransient(error)]).not.toContain(true)
  })

  test('keeps AWS’s own words and ids for the log and out of the text', () => {
    const aws = failed('AccessDenied', 'User: arn:aws:iam::123456789012:user/x is not authorized', {
      $metadata: { requestId: 'r-1', httpStatusCode: 403 },
    })

    const error = awsError(aws, { cell: 'home', operation: 'CreateStack', stack: 'berth-b' })

    expect(error.message).not.toContain('123456789012')
    expect(error.cause).toBe(aws)
    expect(error.data).toMatchObject({ cell: 'home', stack: 'berth-b', operation: 'CreateStack', requestId: 'r-1' })
  })
})

describe('without credentials that AWS knows', () => {
  const unknown = failed('ExpiredToken', 'arn:aws:iam::123456789012:role/x')

  test('what waits is repeated; a command or a start says that the configuration is at fault', () => {
    const waiting = awsError(unknown, { cell: 'home', operation: 'CreateStack' })
    const told = orMisconfigured(waiting)

    expect(waiting.code).toBe('backend_unavailable')
    expect(told).toMatchObject({ code: 'config_invalid', data: { remedy: expect.stringContaining('AWS_PROFILE') } })
  })

  test('another error stays what it is', () => {
    const other = awsError(failed('Throttling'), { cell: 'home', operation: 'CreateStack' })

    expect(orMisconfigured(other)).toBe(other)
  })
})

test('an address where nobody answers is named by what the network says', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' })

  const { message, data } = awsError(refused, { cell: 'home', operation: 'DescribeStacks' })

  expect(message).toContain('ECONNREFUSED')
  expect(data['remedy']).toContain('AWS_ENDPOINT_URL')
})

test('a tenant reads neither AWS nor the cell in it', () => {
  const error = awsError(failed('AccessDenied'), { cell: 'home', operation: 'GetObject' })

  expect(error.message).toMatch(/GetObject.* in cell home/)
  expect(toldToTenants(error)).toBe('The backend cannot run code now.')
})

/** Lets everything go at once and counts. */
const createCounter = () => {
  const count = { taken: 0, rejected: 0 }
  const pacer: Pacer = { take: async () => void (count.taken += 1), rejected: () => void (count.rejected += 1) }
  return { count, cell: { name: 'home', pacer } }
}
const call = { pool: 'lambda', priority: 'signUp', operation: 'X', signal: quiet() } as const
const failing = (times: number, error: Error) => {
  let left = times
  return async () => {
    left -= 1
    if (left >= 0) throw error
    return 'done'
  }
}

test(
  'the credentials that the SDK hides in its errors do not show when one is logged',
  { tags: ['aws-local'] },
  async () => {
    await using aws = await startAwsLocal()
    using _ = setVariables(aws.env)
    using clients = createCellClients({ region: aws.region, deployment: 'berth' })
    const missing = await clients.lambda
      .send(new GetFunctionCommand({ FunctionName: 'none' }))
      .catch((error: unknown) => error)
    expect(inspect(missing, { showHidden: true, depth: 9 })).toContain('Credential=')

    const error = awsError(missing, { cell: 'home', operation: 'GetFunction' })

    expect(inspect(error, { depth: 9 })).not.toContain('Credential=')
    expect(JSON.stringify([Object.entries(error), Object.entries(missing as object)])).not.toContain('Credential=')
  },
)

describe('a paced call', () => {
  test('takes its turn for every try and tells the pacer of every refusal', async () => {
    const { count, cell } = createCounter()

    expect(await pacedCall(cell, call, failing(2, failed('TooManyRequestsException')))).toBe('done')

    expect(count).toEqual({ taken: 3, rejected: 2 })
  })

  test('repeats what broke on the way, and not what was refused', async () => {
    const { count, cell } = createCounter()

    expect(await pacedCall(cell, call, failing(1, failed('Error', '', { code: 'ECONNRESET' })))).toBe('done')
    expect(await codeOf(pacedCall(cell, call, failing(1, failed('AccessDenied'))))).toBe('backend_unavailable')

    expect(count).toEqual({ taken: 3, rejected: 0 })
  })

  test('hands an expected error to its caller as AWS made it', async () => {
    const { cell } = createCounter()
    const missing = failed('NoSuchEntity')

    await expect(pacedCall(cell, { ...call, expected: isNotFound }, failing(1, missing))).rejects.toBe(missing)
  })

  test('that is aborted ends with the reason', async () => {
    const { cell } = createCounter()
    const stop = new AbortController()
    const work = pacedCall(cell, { ...call, signal: stop.signal }, async () => {
      stop.abort(new Error('enough'))
      throw failed('AbortError')
    })

    await expect(work).rejects.toThrow('enough')
  })
})
