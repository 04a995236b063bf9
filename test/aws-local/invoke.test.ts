// @module-tag aws-local
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import {
  DeleteFunctionConcurrencyCommand,
  PublishVersionCommand,
  PutFunctionConcurrencyCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BAD_IMAGES } from '../../scripts/aws-local/bad-images.ts'
import type { ImageContent } from '../../scripts/aws-local/images.ts'
import { openMeetingPoint, WAITING_IMAGE } from './meeting-point.ts'
import { runEvent } from './run-event.ts'

import { type AwsSite, errorOf, openSite, PATIENTLY } from './aws-site.ts'

let site: AwsSite
beforeAll(async () => {
  site = await openSite()
})
afterAll(async () => {
  await site[Symbol.asyncDispose]()
})

const handler = (source: string): ImageContent => ({ kind: 'handler', source })
const tellsEnvironment = handler(`
import os
count = 0
def handler(event, context):
    global count
    count += 1
    print("hello from the function")
    tenant = getattr(context, "tenant_id", None)
    return {"env": dict(os.environ), "pid": os.getpid(), "count": count, "uid": os.getuid(), "tenant": tenant}
`)
describe('a run', () => {
  test('is the real runner under the real runtime client', async () => {
    const name = await site.makeFunction({ kind: 'runner' })

    const { json, functionError } = await site.invoke(name, runEvent('6 * 7'))

    expect(functionError).toBeUndefined()
    expect(json).toMatchObject({
      kind: 'reply',
      outcome: { status: 'succeeded' },
      results: [{ isMain: true, json: 42 }],
    })
  })

  test('has the name, memory, Region and credentials of its function', async () => {
    const name = await site.makeFunction(tellsEnvironment, {
      MemorySize: 512,
      Environment: { Variables: { COLOUR: 'red' } },
    })

    const { json, logs, version } = await site.invoke(name)

    expect(json.env).toMatchObject({
      AWS_LAMBDA_FUNCTION_NAME: name,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
      AWS_REGION: 'eu-central-1',
      AWS_ENDPOINT_URL: site.aws.endpoint,
      COLOUR: 'red',
    })
    expect(json.env.AWS_SESSION_TOKEN).not.toBe('')
    expect(version).toBe('$LATEST')
    expect(logs).toMatch(/^START RequestId: [^]*hello from the function\nEND RequestId: [^]*REPORT RequestId: /)
    expect(logs).not.toContain('(rapid)')
  })

  test('finds its environment warm, until the function changes', async () => {
    const name = await site.makeFunction(tellsEnvironment)

    const counts = [await site.invoke(name), await site.invoke(name)].map(({ json }) => json.count)
    await site.lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: name, Description: 'changed' }))
    await expect.poll(async () => (await site.invoke(name)).json.count, PATIENTLY).toBe(1)

    expect(counts).toEqual([1, 2])
  })

  test('takes another environment than the run beside it', async () => {
    await using meetingPoint = await openMeetingPoint()
    const name = await site.makeFunction(WAITING_IMAGE)

    const runs = [1, 2, 3].map(() => site.invoke(name, { url: meetingPoint.url }))
    await meetingPoint.gathered(3)
    meetingPoint.letGo()

    expect((await Promise.all(runs)).map(({ json }) => json)).toEqual(['met', 'met', 'met'])
  })

  test('runs the version that was published and asked for', async () => {
    const name = await site.makeFunction(handler('def handler(event, context):\n    return 1\n'))
    await site.lambda.send(new PublishVersionCommand({ FunctionName: name }))
    const ImageUri = await site.aws.image(`${name}-2`, handler('def handler(event, context):\n    return 2\n'))
    await site.lambda.send(new UpdateFunctionCodeCommand({ FunctionName: name, ImageUri }))

    await expect.poll(async () => (await site.invoke(name)).json, PATIENTLY).toBe(2)
    expect(await site.invoke(name, {}, { Qualifier: '1' })).toMatchObject({ json: 1, version: '1' })
  })

  test('of an image with another version of the runner says that version', async () => {
    const name = await site.makeFunction({ kind: 'runner', version: 4711 })

    const { json } = await site.invoke(name, runEvent('1'))

    expect(json.runner.version).toBe(4711)
  })
})

describe('a run that fails', () => {
  test.each([
    ['crashesAtStart', { errorType: 'RuntimeError', errorMessage: expect.stringContaining('this image is broken') }],
    ['isKilled', { errorType: 'Runtime.ExitError', errorMessage: expect.stringContaining('signal: killed') }],
    ['exits', { errorType: 'Runtime.ExitError', errorMessage: expect.stringContaining('exit status 3') }],
    [
      'raises',
      {
        errorType: 'ValueError',
        errorMessage: 'this image is broken',
        requestId: expect.any(String),
        stackTrace: expect.any(Array),
      },
    ],
    [
      'answersTooMuch',
      { errorType: 'Function.ResponseSizeTooLarge', errorMessage: expect.stringContaining('6291556') },
    ],
  ] as const)(
    '%s is a function error in the words of Lambda, and the next one is tried anew',
    async (kind, expected) => {
      const name = await site.makeFunction(BAD_IMAGES[kind])

      for (const _ of [1, 2]) {
        const { functionError, json } = await site.invoke(name)
        expect({ functionError, json }).toEqual({ functionError: 'Unhandled', json: expected })
      }
    },
  )

  test('for its time is a function error that says so', async () => {
    const name = await site.makeFunction(BAD_IMAGES.hangs, { Timeout: 1 })

    const { functionError, json } = await site.invoke(name)

    expect(functionError).toBe('Unhandled')
    expect(json).toEqual({ errorMessage: expect.stringMatching(/ Task timed out after 1\.00 seconds$/) })
  })

  test('is not taken for one because of what it answers', async () => {
    const name = await site.makeFunction()
    const lookalikes = ['Task timed out after 1.00 seconds', { errorMessage: 'x', errorType: 'y' }]

    for (const event of lookalikes) {
      expect(await site.invoke(name, event)).toMatchObject({ functionError: undefined, json: event })
    }
  })
})

describe('an event', () => {
  test('of more than 6 MB is refused', async () => {
    const name = await site.makeFunction()

    expect(await errorOf(site.invoke(name, 'x'.repeat(6_291_456)))).toBe('RequestTooLargeException')
    expect((await site.invoke(name, 'x'.repeat(6_000_000))).functionError).toBeUndefined()
  })

  test('bears a tenant exactly where the function isolates tenants, each in an environment of their own', async () => {
    const isolated = await site.makeFunction(tellsEnvironment, { TenancyConfig: { TenantIsolationMode: 'PER_TENANT' } })
    const plain = await site.makeFunction(tellsEnvironment)

    const runs = []
    for (const TenantId of ['alice', 'bob', 'alice']) runs.push((await site.invoke(isolated, {}, { TenantId })).json)

    expect(runs.map(({ tenant, count }) => [tenant, count])).toEqual([
      ['alice', 1],
      ['bob', 1],
      ['alice', 2],
    ])
    expect(await errorOf(site.invoke(isolated))).toBe('InvalidParameterValueException')
    expect(await errorOf(site.invoke(plain, {}, { TenantId: 'alice' }))).toBe('InvalidParameterValueException')
  })
})

describe('reserved concurrency', () => {
  test('of 0 refuses every run, until it is lifted', async () => {
    const name = await site.makeFunction()
    await site.lambda.send(new PutFunctionConcurrencyCommand({ FunctionName: name, ReservedConcurrentExecutions: 0 }))

    await expect(site.invoke(name)).rejects.toMatchObject({
      name: 'TooManyRequestsException',
      Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
    })
    await site.lambda.send(new DeleteFunctionConcurrencyCommand({ FunctionName: name }))
    expect((await site.invoke(name)).functionError).toBeUndefined()
  })

  test('of 1 refuses the second run at a time and no later one', async () => {
    await using meetingPoint = await openMeetingPoint()
    const name = await site.makeFunction(WAITING_IMAGE)
    await site.lambda.send(new PutFunctionConcurrencyCommand({ FunctionName: name, ReservedConcurrentExecutions: 1 }))
    const first = site.invoke(name, { url: meetingPoint.url })
    await meetingPoint.gathered(1)

    expect(await errorOf(site.invoke(name))).toBe('TooManyRequestsException')
    meetingPoint.letGo()
    expect((await first).json).toBe('met')
    const later = site.invoke(name, { url: meetingPoint.url })
    await meetingPoint.gathered(1)
    meetingPoint.letGo()
    expect((await later).json).toBe('met')
  })
})

describe('nothing of the stand-in outlives it', () => {
  test('when it is closed', async () => {
    const other = await openSite()
    await other.invoke(await other.makeFunction())
    const before = processesOf(other.aws.endpoint)

    await other[Symbol.asyncDispose]()

    expect(before).toBeGreaterThan(0)
    expect(processesOf(other.aws.endpoint)).toBe(0)
  })

  test('when its process is killed', async () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'stand-in-server.ts')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = await once(createInterface({ input: child.stdout }), 'line')
    const { endpoint, emulatorPid } = JSON.parse(line)
    const before = processesOf(endpoint)

    child.kill('SIGKILL')
    await once(child, 'close')

    expect(before).toBeGreaterThan(0)
    await expect.poll(() => processesOf(endpoint), PATIENTLY).toBe(0)
    await expect.poll(() => existsSync(`/proc/${emulatorPid}/cwd/.`), PATIENTLY).toBe(false)
  })
})

/** Processes of functions, which bear the address of their AWS. */
const processesOf = (endpoint: string): number =>
  readdirSync('/proc').filter((pid) => {
    try {
      const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
      return /^\d+$/.test(pid) && variables.includes(`AWS_ENDPOINT_URL=${endpoint}`)
    } catch {
      return false
    }
  }).length
