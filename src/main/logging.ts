import { destination, pino, stdSerializers } from 'pino'
import { isBerthError } from '../domain/errors.ts'
import type { Config } from './config.ts'
import type { Subscriber } from './event-hub.ts'

export interface Logging extends Disposable {
  readonly subscriber: Subscriber
}

/** One JSON object per event. Events carry codes and ids, so there is nothing of a tenant's to leave out. */
export const createLogging = (level: Config['logLevel'], file: string | number = 1): Logging => {
  // Not sync: a log line must not make a run wait for a slow terminal.
  const sink = destination({ dest: file, sync: false })
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    sink,
  )
  return {
    subscriber({ code, level, error, ...rest }) {
      if (!logger.isLevelEnabled(level)) return
      logger[level]({ code, ...rest, ...(error !== undefined && { error: describeError(error) }) })
    },
    [Symbol.dispose]() {
      // Before the file is open there is nothing to flush, and flushing throws.
      if (level !== 'silent') sink.flushSync()
    },
  }
}

/** A BerthError's detail may quote a caller's input; its code, stack and cause may not. */
const describeError = (error: unknown): unknown => {
  if (!isBerthError(error)) return error instanceof Error ? stdSerializers.err(error) : { message: String(error) }
  const stack = error.stack?.slice(error.stack.indexOf('\n    at'))
  return {
    type: 'BerthError',
    code: error.code,
    stack,
    ...error.data,
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  }
}
