import type { ErrorCode } from '../domain/error-table.ts'
import { BerthError, isBerthError } from '../domain/errors.ts'

/** What an error of the AWS SDK tells, whatever client threw it. */
export interface AwsFailure {
  readonly name: string
  readonly message: string
  readonly requestId: string | undefined
  readonly status: number | undefined
}

export const awsFailureOf = (error: unknown): AwsFailure | null => {
  if (!(error instanceof Error)) return null
  const { $metadata } = error as { $metadata?: { requestId?: string; httpStatusCode?: number } }
  return {
    name: error.name,
    message: error.message,
    requestId: $metadata?.requestId,
    status: $metadata?.httpStatusCode,
  }
}

const isNamed =
  (...names: readonly string[]) =>
  (error: unknown): boolean =>
    names.includes(awsFailureOf(error)?.name ?? '')

const says = (error: unknown, text: string): boolean => awsFailureOf(error)?.message.includes(text) ?? false

/** AWS counted too many requests, of this caller or of the account. */
export const isThrottled = (error: unknown): boolean =>
  isNamed(
    'Throttling',
    'ThrottlingException',
    'ThrottledException',
    'TooManyRequestsException',
    'RequestLimitExceeded',
    'SlowDown',
    'RequestThrottled',
  )(error) || awsFailureOf(error)?.status === 429

export const isAccessDenied = (error: unknown): boolean =>
  isNamed('AccessDenied', 'AccessDeniedException', 'UnauthorizedOperation')(error)

/** No credentials were found, or AWS does not know them (any more): nothing that was asked has been looked at. */
export const isUnidentified = isNamed(
  'CredentialsProviderError',
  'TokenProviderError',
  'InvalidClientTokenId',
  'InvalidAccessKeyId',
  'UnrecognizedClientException',
  'SignatureDoesNotMatch',
  'InvalidSignatureException',
  'IncompleteSignature',
  'ExpiredToken',
  'ExpiredTokenException',
  'RequestExpired',
  'AuthFailure',
  'MissingAuthenticationToken',
  'MissingAuthenticationTokenException',
)

/** Of Lambda, IAM, CloudWatch Logs and SSM. CloudFormation has no such error: `isStackMissing`. */
export const isNotFound = isNamed(
  'ResourceNotFoundException',
  'NoSuchEntity',
  'NoSuchEntityException',
  'ParameterNotFound',
  'ParameterVersionNotFound',
  'NoSuchBucket',
  'NoSuchUpload',
  'NotFound',
)

/** DescribeStacks answers a missing name with ValidationError: "Stack with id … does not exist". */
export const isStackMissing = (error: unknown): boolean =>
  isNamed('ValidationError')(error) && says(error, 'does not exist')

export const isStackThere = isNamed('AlreadyExistsException', 'TokenAlreadyExistsException')

/** UpdateStack with nothing to change: ValidationError "No updates are to be performed." */
export const isNothingToUpdate = (error: unknown): boolean =>
  isNamed('ValidationError')(error) && says(error, 'No updates are to be performed')

/** CloudFormation: "Stack … is in … state and can not be updated"; Lambda 409: "An update is in progress for resource". */
export const isBusy = (error: unknown): boolean =>
  isNamed('ResourceConflictException', 'OperationInProgressException')(error) ||
  (isNamed('ValidationError')(error) && / is in [A-Z_]+ state and can ?not be/.test(awsFailureOf(error)?.message ?? ''))

const networkCodes = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'ENOTFOUND'])

/** Nothing was decided: a broken connection, a cut answer or AWS's own fault. */
export const isTransient = (error: unknown): boolean => {
  const failure = awsFailureOf(error)
  if (failure === null) return false
  const { code, $retryable } = error as { code?: string; $retryable?: object }
  return (
    (failure.status !== undefined && failure.status >= 500) ||
    networkCodes.has(code ?? '') ||
    $retryable !== undefined ||
    // A cut answer cannot be parsed; the SDK says so with a SyntaxError or its own words.
    ['TimeoutError', 'SyntaxError', 'InternalFailure', 'ServiceUnavailable', 'RequestTimeout'].includes(failure.name)
  )
}

/** "The role defined for the function cannot be assumed by Lambda.": IAM has not told everyone of a new role yet. */
export const isRoleNotAssumableYet = (text: string): boolean => text.includes('cannot be assumed by Lambda')

/** A resource of a stack failed for a rate: "Rate exceeded (Service: Lambda, Status Code: 429 …)", "Throttling". */
export const isThrottlingReason = (text: string): boolean =>
  /Rate exceeded|Throttling|TooManyRequests|Status Code: 429/i.test(text)

export interface AwsContext {
  readonly cell: string
  /** What was asked of AWS, in its own words: `CreateStack`. */
  readonly operation: string
  readonly stack?: string
}

/** Credentials that have expired are renewed by someone, so what waits for them goes on then. */
const codeOf = (error: unknown): ErrorCode =>
  [isAccessDenied, isUnidentified, isThrottled, isTransient].some((is) => is(error))
    ? 'backend_unavailable'
    : 'internal'

const networkFaultOf = (error: unknown): string | null => {
  const { code } = error as { code?: string }
  return code !== undefined && networkCodes.has(code) ? code : null
}

const detailOf = (error: unknown, { cell, operation }: AwsContext): string => {
  const name = awsFailureOf(error)?.name ?? 'unknown'
  const fault = networkFaultOf(error)
  if (isAccessDenied(error)) return `AWS refused ${operation}: the server's role in cell ${cell} lacks that right`
  if (isUnidentified(error)) return `AWS was not asked for ${operation} in cell ${cell} by anyone it knows: ${name}`
  if (fault !== null) return `AWS was not reached for ${operation} in cell ${cell}: ${fault}`
  return `AWS did not do ${operation} in cell ${cell}: ${name}`
}

const remedyOf = (error: unknown): string | null => {
  if (isUnidentified(error))
    return 'Give credentials that are valid now: AWS_PROFILE, AWS_ACCESS_KEY_ID and its companions, or a role of this machine.'
  if (networkFaultOf(error) !== null)
    return "Check the Region's name, this machine's network, and AWS_ENDPOINT_URL where it is set; then repeat."
  return null
}

/**
 * An AWS error as one of Berth. The text names the operation and AWS's name for the failure; AWS's own words, which name
 * accounts and resources, stay in `data` for the log.
 */
export const awsError = (error: unknown, context: AwsContext, code?: ErrorCode): BerthError => {
  const failure = awsFailureOf(error)
  const remedy = remedyOf(error)
  return new BerthError(code ?? codeOf(error), detailOf(error, context), {
    cause: error,
    ...(isThrottled(error) || isTransient(error) ? { retryAfterSeconds: 5 } : {}),
    data: {
      ...context,
      forOperators: true,
      ...(remedy !== null && { remedy }),
      awsError: failure?.name,
      awsMessage: failure?.message,
      requestId: failure?.requestId,
    },
  })
}

/** The same where nobody waits, at a start or in a command: without credentials that AWS knows, the configuration is at fault. */
export const orMisconfigured = (error: unknown): unknown =>
  isBerthError(error) && isUnidentified(error.cause)
    ? new BerthError('config_invalid', error.message, { cause: error.cause, data: error.data })
    : error
