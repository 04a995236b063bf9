import type { IncomingHttpHeaders } from 'node:http'
import { type Answer, errorAnswer } from './answer.ts'
import type { Environments } from './environments.ts'
import type { FunctionRun } from './function-run.ts'
import type { Images } from './images.ts'
import { brokenAnswer, type LambdaAnswer, lambdaAnswerOf } from './lambda-answer.ts'

export interface InvokeDeps {
  readonly environments: Environments
  readonly images: Images
}

const INVOKE = /^\/2015-03-31\/functions\/([^/?]+)\/invocations(?:\?|$)/
export const MAX_PAYLOAD_BYTES = 6_291_456
const LOG_TAIL_BYTES = 4096
const ACCOUNT_CONCURRENCY = 1000

export const isInvoke = (method: string | undefined, url: string | undefined): boolean =>
  method === 'POST' && INVOKE.test(url ?? '')

export const tooLarge = (): Answer =>
  errorAnswer('lambda', {
    status: 413,
    code: 'RequestTooLargeException',
    message: `Request must be smaller than ${MAX_PAYLOAD_BYTES} bytes for the InvokeFunction operation`,
  })

/** The description of a run in the emulator's answer; null when it decided otherwise. */
export const runIn = (body: Buffer): FunctionRun | null => {
  if (!body.includes('"Runtime.DockerUnavailable"')) return null
  try {
    return JSON.parse(body.toString()).run ?? null
  } catch {
    return null
  }
}

/** Runs functions for real in place of the emulator's "no Docker here", and answers as Lambda does. */
export const createInvoke = ({ environments, images }: InvokeDeps) => {
  const running = new Map<string, number>()
  let total = 0

  const throttled = (run: FunctionRun): Answer | null => {
    const ofFunction = running.get(run.functionArn) ?? 0
    const reason =
      run.reservedConcurrency !== null && ofFunction >= run.reservedConcurrency
        ? 'ReservedFunctionConcurrentInvocationLimitExceeded'
        : total >= ACCOUNT_CONCURRENCY
          ? 'ConcurrentInvocationLimitExceeded'
          : null
    if (reason === null) return null
    const error = { status: 429, code: 'TooManyRequestsException', message: 'Rate Exceeded.', more: { Reason: reason } }
    return errorAnswer('lambda', error)
  }

  const count = (run: FunctionRun, change: 1 | -1): void => {
    total += change
    const left = (running.get(run.functionArn) ?? 0) + change
    if (left === 0) running.delete(run.functionArn)
    else running.set(run.functionArn, left)
  }

  return async (run: FunctionRun, event: Buffer, headers: IncomingHttpHeaders): Promise<Answer> => {
    const refusal = throttled(run) ?? tenantProblem(run, headers)
    if (refusal !== null) return refusal
    count(run, 1)
    try {
      return await runFunction({ environments, images }, run, { event, headers })
    } finally {
      count(run, -1)
    }
  }
}

const tenantProblem = (run: FunctionRun, headers: IncomingHttpHeaders): Answer | null => {
  const hasTenant = headers['x-amz-tenant-id'] !== undefined
  if (hasTenant === run.isTenantIsolated) return null
  return errorAnswer('lambda', {
    status: 400,
    code: 'InvalidParameterValueException',
    message: run.isTenantIsolated
      ? 'The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again.'
      : 'The invoked function is not enabled with tenancy configuration. Remove the tenant ID from your request and try again.',
  })
}

const PASSED_ON = ['x-amz-client-context', 'x-amz-tenant-id'] as const

const runFunction = async (
  { environments, images }: InvokeDeps,
  run: FunctionRun,
  { event, headers }: { event: Buffer; headers: IncomingHttpHeaders },
): Promise<Answer> => {
  const passed = PASSED_ON.flatMap((name) => (headers[name] === undefined ? [] : [[name, String(headers[name])]]))
  const tenant = headers['x-amz-tenant-id'] === undefined ? null : String(headers['x-amz-tenant-id'])
  const startedAt = performance.now()
  const lease = await environments.borrow(run, images.of(run.resolvedImageUri), tenant)
  const { answer, log } = await lease.environment.invoke(event, Object.fromEntries(passed)).then(
    (raw) => ({ answer: lambdaAnswerOf(raw, run), log: raw.log }),
    () => ({ answer: brokenAnswer(run), log: '' }),
  )
  lease.giveBack(answer.isReusable)
  const isTailWanted = headers['x-amz-log-type'] === 'Tail'
  const tail = isTailWanted ? logTail(run, log, performance.now() - startedAt) : null
  return { status: 200, headers: headersOf(run, answer, tail), body: answer.body }
}

const headersOf = (run: FunctionRun, answer: LambdaAnswer, tail: string | null): Record<string, string> => ({
  'content-type': 'application/json',
  'x-amz-executed-version': run.version,
  'x-amzn-requestid': run.requestId,
  ...(answer.functionError !== null && { 'x-amz-function-error': answer.functionError }),
  ...(tail !== null && { 'x-amz-log-result': tail }),
})

const logTail = (run: FunctionRun, log: string, durationMs: number): string => {
  const billed = Math.ceil(durationMs)
  const lines = [
    `START RequestId: ${run.requestId} Version: ${run.version}`,
    ...(log === '' ? [] : [log.replace(/\n$/, '')]),
    `END RequestId: ${run.requestId}`,
    `REPORT RequestId: ${run.requestId}\tDuration: ${durationMs.toFixed(2)} ms\tBilled Duration: ${billed} ms\tMemory Size: ${run.memoryMiB} MB\tMax Memory Used: ${run.memoryMiB} MB\t`,
  ]
  return Buffer.from(`${lines.join('\n')}\n`)
    .subarray(-LOG_TAIL_BYTES)
    .toString('base64')
}
