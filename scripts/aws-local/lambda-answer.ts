import type { RawAnswer } from './environment.ts'
import type { FunctionRun } from './function-run.ts'

/** What Invoke answers when the function has run. */
export interface LambdaAnswer {
  readonly body: Buffer
  readonly functionError: 'Unhandled' | null
  /** Whether the environment can take another event. */
  readonly isReusable: boolean
}

const TIMED_OUT = /^Task timed out after \d+\.\d+ seconds$/

const failure = (errorType: string | null, errorMessage: string): Buffer =>
  Buffer.from(JSON.stringify(errorType === null ? { errorMessage } : { errorType, errorMessage }))

/**
 * AWS's emulator answers 200 for what Lambda calls a function error, so it is told by the body: a time-out by a text that is no
 * JSON, an exception by the fields that awslambdaric gives it.
 */
export const lambdaAnswerOf = ({ status, body }: RawAnswer, run: FunctionRun): LambdaAnswer => {
  if (status !== 200) return { body: crashOf(body, run), functionError: 'Unhandled', isReusable: false }
  if (body.length < 100 && TIMED_OUT.test(body.toString())) {
    const text = `${new Date().toISOString()} ${run.requestId} ${body.toString()}`
    return { body: failure(null, text), functionError: 'Unhandled', isReusable: false }
  }
  return { body, functionError: isException(body) ? 'Unhandled' : null, isReusable: true }
}

const crashOf = (body: Buffer, run: FunctionRun): Buffer => {
  try {
    const { errorType, errorMessage } = JSON.parse(body.toString())
    return failure(errorType ?? 'Runtime.Unknown', errorMessage ?? 'Unknown application error occurred')
  } catch {
    return failure('Runtime.ExitError', `RequestId: ${run.requestId} Error: Runtime exited without providing a reason`)
  }
}

/** The runtime broke off, as when its own process died. */
export const brokenAnswer = (run: FunctionRun): LambdaAnswer => ({
  body: failure('Runtime.ExitError', `RequestId: ${run.requestId} Error: Runtime exited without providing a reason`),
  functionError: 'Unhandled',
  isReusable: false,
})

const EXCEPTION_BEGIN = Buffer.from('{"errorMessage": ')
const EXCEPTION_KEYS = ['errorMessage', 'errorType', 'requestId', 'stackTrace']

const isException = (body: Buffer): boolean => {
  if (!body.subarray(0, EXCEPTION_BEGIN.length).equals(EXCEPTION_BEGIN)) return false
  const keys = Object.keys(JSON.parse(body.toString()))
  return keys.length === EXCEPTION_KEYS.length && keys.every((key) => EXCEPTION_KEYS.includes(key))
}
