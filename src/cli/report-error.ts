import { errorTable } from '../domain/error-table.ts'
import { type BerthError, isBerthError } from '../domain/errors.ts'
import { remedyOf, requestIdOf } from '../client/problem.ts'
import { isAbort } from './exit-code.ts'
import type { Terminal } from './terminal.ts'
import { visible } from './visible.ts'

/** Tells an error: one line and the remedy for people, the same as an object with `--json`. A bug shows its stack. */
export const reportError = (error: unknown, terminal: Terminal): void => {
  if (isAbort(error)) return terminal.note('berth: interrupted')
  if (terminal.json) return terminal.answer({ error: describe(error) }, () => [])
  const lines = isBerthError(error) ? linesOf(error) : bugLines(error)
  for (const line of lines) terminal.note(line)
}

const describe = (error: unknown): Record<string, unknown> => {
  if (!isBerthError(error))
    return { code: 'internal', detail: String(error), retryable: false, remedy: errorTable.internal.remedy }
  const { category, retryable } = errorTable[error.code]
  return {
    code: error.code,
    category,
    retryable,
    detail: error.message,
    remedy: remedyOf(error),
    requestId: requestIdOf(error),
    errors: error.errors,
  }
}

const linesOf = (error: BerthError): readonly string[] => {
  const requestId = requestIdOf(error)
  return [
    `berth: ${visible(error.message)} (${error.code})`,
    // The first field is usually the detail itself.
    ...(error.errors.length > 1 ? error.errors : []).map(
      ({ pointer, detail }) => `  ${visible(pointer)}: ${visible(detail)}`,
    ),
    `  ${visible(remedyOf(error))}`,
    ...(requestId === null ? [] : [`  request ${visible(requestId)}`]),
  ]
}

const bugLines = (error: unknown): readonly string[] => [
  `berth: this is a bug in Berth: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  '  Please report it with the lines above.',
]
