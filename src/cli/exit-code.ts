import { type ErrorCode, errorTable } from '../domain/error-table.ts'
import { type BerthError, isBerthError } from '../domain/errors.ts'
import type { Run } from '../domain/run.ts'

/** What the exit codes of `berth` mean; above 4 they are those of sysexits.h. */
export const exitCodes = {
  ok: 0,
  runFailed: 1,
  callerFault: 2,
  stopped: 3,
  rolledBack: 4,
  unavailable: 69,
  bug: 70,
  retryable: 75,
  config: 78,
  interrupted: 130,
} as const

export const exitCodeHelp = `Exit codes:
  0   it worked
  1   the run did not succeed (the code raised, a limit was reached, it was canceled)
  2   the request is at fault: an option, a file, a right that is missing
  3   a rollout stopped: a wave was not well, somebody paused it, another image is wanted;
      or reconcile --from did: its report says what is done
  4   a rollout was not well and was rolled back
  69  no server answers, or it cannot serve
  70  a bug in Berth
  75  not now: the same command may work later (429, 503)
  78  the configuration is not valid
  130 interrupted`

const exitCodeOfError = (code: ErrorCode): number => {
  const { status, category, retryable } = errorTable[code]
  if (code === 'config_invalid') return exitCodes.config
  if (code === 'server_unreachable') return exitCodes.unavailable
  if (code === 'internal') return exitCodes.bug
  if (retryable && (status === 429 || status === 503 || status === 409)) return exitCodes.retryable
  return category === 'platform' ? exitCodes.unavailable : exitCodes.callerFault
}

export const exitCodeOf = (error: unknown): number => {
  if (isAbort(error)) return exitCodes.interrupted
  return isBerthError(error) ? exitCodeOfError((error satisfies BerthError).code) : exitCodes.bug
}

export const exitCodeOfRun = (run: Run): number => {
  if (run.status === 'succeeded') return exitCodes.ok
  return run.status === 'system_error' && run.failure !== null ? exitCodeOfError(run.failure.code) : exitCodes.runFailed
}

export const isAbort = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError'
