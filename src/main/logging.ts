import { destination, pino } from 'pino'
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

/** A BerthError's detail may quote a caller's input and the text of a system's error names a file; code, stack and cause do neither. */
const describeError = (error: unknown): unknown => {
  if (!(error instanceof Error)) return { message: String(error) }
  const { type, ...rest } = isBerthError(error)
    ? { type: 'BerthError', code: error.code, ...error.data }
    : describeForeign(error)
  return {
    type,
    stack: framesOf(error),
    ...rest,
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  }
}

const describeForeign = (error: Error): { readonly type: string } => {
  const { code, syscall, path, dest }: Record<string, unknown> = Object.fromEntries(Object.entries(error))
  const namesFile = [syscall, path, dest].some((part) => part !== undefined)
  return {
    type: error.name,
    ...(namesFile ? { syscall } : { message: error.message }),
    ...(code !== undefined && { code }),
  }
}

/** Without the message, with which a stack begins. */
const framesOf = ({ stack = '' }: Error): string => {
  const begin = stack.indexOf('\n    at ')
  return begin === -1 ? '' : stack.slice(begin)
}
