import { awsFailureOf } from '../../aws/aws-errors.ts'
import type { Cell } from '../../aws/cell.ts'
import type { ErrorCode } from '../../domain/error-table.ts'
import { BerthError } from '../../domain/errors.ts'

interface InvokeFailure {
  readonly code: ErrorCode
  /** For users: no name of the platform or of its parts. */
  readonly detail: string
  readonly retryAfterSeconds?: number
  /** False when the request was refused before the code could begin; null when nobody can tell. */
  readonly started: false | null
}

const refused = (code: ErrorCode, detail: string, retryAfterSeconds?: number): InvokeFailure => ({
  code,
  detail,
  started: false,
  ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
})

const busy = (seconds: number): InvokeFailure =>
  refused('backend_unavailable', 'Too many runs execute at this moment; none of this one was started', seconds)
const waking = (seconds: number): InvokeFailure =>
  refused('berth_waking', 'The berth is being made ready; the run was not started', seconds)
const broken = (what: string): InvokeFailure => refused('berth_broken', `${what}; the run was not started`)
const bug = refused('internal', 'The berth did not understand the request; the run was not started')
const network = refused('backend_unavailable', "The berth's network is not ready; the run was not started", 30)
const unknownEnd: InvokeFailure = {
  code: 'runner_failed',
  detail: 'The connection to the berth broke; whether the code ran is not known',
  started: null,
}
const unreachable = refused('backend_unavailable', 'The berth cannot be reached; the run was not started', 5)
const noRight = broken('The server may not run code in this berth')
const imageGone = broken("The berth's runner image cannot be used any more")
const keyRefused = broken("The berth's encryption key cannot be used")
const placeless = broken("The berth's network or file settings are not valid")

/** An image function that rested for weeks is made ready again in 40 to 106 s (measured by others; aws.md, section 3). */
const WAKE_SECONDS = 60

/** `Reason` of TooManyRequestsException. @see https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html (2026-11-22) */
const byReason: Readonly<Record<string, InvokeFailure>> = {
  CallerRateLimitExceeded: busy(1),
  ConcurrentInvocationLimitExceeded: busy(2),
  ConcurrentSnapshotCreateLimitExceeded: busy(2),
  FunctionInvocationRateLimitExceeded: busy(1),
  ReservedFunctionConcurrentInvocationLimitExceeded: refused(
    'rate_limited',
    'As many runs of this tenant execute as are allowed; this one was not started',
    1,
  ),
  ReservedFunctionInvocationRateLimitExceeded: refused(
    'rate_limited',
    'Runs of this tenant come faster than is allowed; this one was not started',
    1,
  ),
}

/** Only a suspended tenant's function has reserved concurrency when the cell gives none: it is 0. */
const suspended = refused('tenant_suspended', 'The tenant is suspended; the run was not started')

/** Every error that Invoke has in the SDK's model, and those of signing and of the client itself. */
const byName: Readonly<Record<string, InvokeFailure>> = {
  CodeArtifactUserPendingException: waking(WAKE_SECONDS),
  ResourceConflictException: waking(15),
  ResourceNotReadyException: waking(30),
  SnapStartNotReadyException: waking(15),
  ENINotReadyException: waking(30),
  CodeArtifactUserDeletedException: imageGone,
  CodeArtifactUserFailedException: imageGone,
  InvalidRuntimeException: imageGone,
  InvalidZipFileException: imageGone,
  NoPublishedVersionException: imageGone,
  SnapStartException: imageGone,
  SnapStartRegenerationFailureException: imageGone,
  SnapStartTimeoutException: imageGone,
  ResourceNotFoundException: broken("The tenant's berth is not there"),
  AccessDeniedException: noRight,
  KMSAccessDeniedException: keyRefused,
  KMSDisabledException: keyRefused,
  KMSInvalidStateException: keyRefused,
  KMSNotFoundException: keyRefused,
  EC2AccessDeniedException: placeless,
  EFSIOException: placeless,
  EFSMountConnectivityException: placeless,
  EFSMountFailureException: placeless,
  EFSMountTimeoutException: placeless,
  InvalidSecurityGroupIDException: placeless,
  InvalidSubnetIDException: placeless,
  S3FilesMountConnectivityException: placeless,
  S3FilesMountFailureException: placeless,
  S3FilesMountTimeoutException: placeless,
  EC2ThrottledException: network,
  EC2UnexpectedException: network,
  ENILimitReachedException: network,
  SubnetIPAddressLimitReachedException: network,
  RequestTooLargeException: refused('payload_too_large', 'The request is larger than a berth takes'),
  SerializedRequestEntityTooLargeException: refused('payload_too_large', 'The request is larger than a berth takes'),
  DurableExecutionAlreadyStartedException: bug,
  InvalidParameterValueException: bug,
  InvalidRequestContentException: bug,
  ModeNotSupportedException: bug,
  UnsupportedMediaTypeException: bug,
  RecursiveInvocationException: refused('forbidden', 'A run may not start itself again'),
  ServiceQuotaExceededException: busy(30),
  // The server's own credentials; not a berth's fault, and new ones may come.
  CredentialsProviderError: unreachable,
  ExpiredTokenException: unreachable,
  IncompleteSignatureException: unreachable,
  InvalidSignatureException: unreachable,
  MissingAuthenticationTokenException: unreachable,
  OptInRequired: noRight,
  RequestExpired: unreachable,
  UnrecognizedClientException: unreachable,
  ThrottlingException: busy(2),
}

/** Codes of Node for a connection that never came to be: no byte of the request has left. */
const unconnected = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'EMFILE',
])
const isUnconnected = (error: unknown): boolean => {
  const { code = '', syscall, message = '' } = error as { code?: string; syscall?: string; message?: string }
  return (
    unconnected.has(code) ||
    syscall === 'connect' ||
    /^(CERT_|ERR_TLS_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/.test(code) ||
    message.includes('did not establish a connection')
  )
}

const failureOf = (cell: Cell, error: unknown): InvokeFailure => {
  const { name = '', message = '', status } = awsFailureOf(error) ?? {}
  const { Reason: reason = '' } = error as { Reason?: string }
  if (name === 'TooManyRequestsException' || status === 429) {
    if (reason === 'ReservedFunctionConcurrentInvocationLimitExceeded' && cell.functions.reservedConcurrency === null)
      return suspended
    return byReason[reason] ?? busy(2)
  }
  if (name === 'ResourceConflictException' && / state: (Failed|Deleting|Deactivated)/.test(message)) return imageGone
  const known = byName[name]
  if (known !== undefined) return known
  if (isUnconnected(error)) return unreachable
  return status !== undefined && status >= 400 && status < 500 ? bug : unknownEnd
}

/** Why a berth's function could not be invoked, or broke off. What the platform said stays in `data` for the log. */
export const invokeError = (cell: Cell, functionName: string, error: unknown): BerthError => {
  const { code, detail, retryAfterSeconds, started } = failureOf(cell, error)
  const { name, message, requestId, status } = awsFailureOf(error) ?? {}
  const { Reason: reason } = error as { Reason?: string }
  return new BerthError(code, detail, {
    cause: error,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    data: {
      cell: cell.name,
      function: functionName,
      started,
      awsError: name,
      awsMessage: message,
      reason,
      status,
      requestId,
    },
  })
}
