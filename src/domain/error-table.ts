/**
 * Every error that Berth can answer with. The code is the API contract; texts are free to change.
 * `docs/errors.md` lists the same codes, and a test compares the two.
 */
export type ErrorCategory = 'user' | 'limit' | 'policy' | 'platform' | 'caller'

export interface ErrorEntry {
  /** HTTP status when the error is the answer to a request. */
  readonly status: number
  readonly title: string
  readonly category: ErrorCategory
  /** True when the same request may succeed later without any change. */
  readonly retryable: boolean
  /** What the reader of the error does next. */
  readonly remedy: string
}

// A row of the table reads best on one line.
// oxlint-disable-next-line max-params
const entry = (
  status: number,
  category: ErrorCategory,
  retryable: boolean,
  title: string,
  remedy: string,
): ErrorEntry => ({ status, title, category, retryable, remedy })

export const errorTable = {
  // The caller's request
  invalid_request: entry(
    400,
    'caller',
    false,
    'The request is not valid',
    'Mend what `detail` and `errors` name and send it again.',
  ),
  malformed_json: entry(
    400,
    'caller',
    false,
    'The body is not JSON',
    'Send a JSON object with Content-Type: application/json.',
  ),
  unauthenticated: entry(
    401,
    'caller',
    false,
    'Who is calling is not known',
    'Send Authorization: Bearer with a service key or an ID token that has not expired; sign in again for a new one.',
  ),
  forbidden: entry(
    403,
    'caller',
    false,
    'This caller may not do that',
    'Use a key or token with the right that `detail` names.',
  ),
  email_unverified: entry(
    403,
    'policy',
    false,
    'The user has no verified e-mail address',
    'Verify the address, sign in again for a new token, and repeat.',
  ),
  tenant_suspended: entry(403, 'policy', false, 'The tenant is suspended', 'An operator must resume the tenant.'),
  file_not_found: entry(
    422,
    'caller',
    false,
    'A file that the run names does not exist',
    'Upload the file first, or take its name out of `files`.',
  ),
  not_found: entry(
    404,
    'caller',
    false,
    'There is no such thing',
    'Check the path and the id; things of other tenants are never shown.',
  ),
  method_not_allowed: entry(
    405,
    'caller',
    false,
    'The path does not take this method',
    'Use a method that the Allow header names.',
  ),
  conflict: entry(
    409,
    'caller',
    false,
    'It is not in a state that allows this',
    'Read its present state, then decide.',
  ),
  tenant_deleted: entry(
    410,
    'caller',
    false,
    'The tenant was deleted',
    'A deleted tenant never comes back; sign up under a new id.',
  ),
  request_timeout: entry(
    408,
    'caller',
    true,
    'The request did not arrive in time',
    'Send the headers and the body without long pauses.',
  ),
  headers_too_large: entry(
    431,
    'caller',
    false,
    'The headers are larger than their limit',
    'Send less than 16 KiB of headers.',
  ),
  payload_too_large: entry(
    413,
    'limit',
    false,
    'The request is larger than its limit',
    'Send less, or put the data into a file of the tenant.',
  ),
  source_too_large: entry(
    413,
    'limit',
    false,
    'The source is larger than its limit',
    'Shorten the code; put data into files or variables.',
  ),
  file_too_large: entry(
    413,
    'limit',
    false,
    'The file is larger than its limit',
    'Split the file or ask the operator to raise BERTH_MAX_FILE_BYTES.',
  ),
  files_quota: entry(
    413,
    'limit',
    false,
    'The tenant has no room left for files',
    'Delete files that are no longer needed.',
  ),
  unsupported_media_type: entry(415, 'caller', false, 'The content type is not supported', 'Send application/json.'),
  idempotency_conflict: entry(
    422,
    'caller',
    false,
    'The Idempotency-Key was used with another body',
    'Use a new key for a new request.',
  ),
  invalid_file_name: entry(
    422,
    'caller',
    false,
    'The file name is not allowed',
    'Use a plain name as `detail` describes it.',
  ),
  idempotency_in_flight: entry(
    409,
    'caller',
    true,
    'The first request with this Idempotency-Key still runs',
    'Wait for the first answer, then repeat.',
  ),
  rate_limited: entry(429, 'limit', true, 'Too many requests', 'Wait for the seconds that Retry-After names.'),
  queue_full: entry(
    429,
    'limit',
    true,
    'Too many runs of this tenant are waiting',
    'Wait for running ones to finish; see Retry-After.',
  ),
  berth_cap_reached: entry(
    503,
    'limit',
    true,
    'No more berths may be made',
    'An operator must raise BERTH_MAX_BERTHS or add capacity.',
  ),
  // The tenant's code: never an HTTP error, always `failure` inside a run
  code_raised: entry(200, 'user', false, 'The code raised an error', 'Read `error`; it names the line.'),
  invalid_source: entry(200, 'user', false, 'The source cannot be run', 'Mend the syntax that `error` names.'),
  unsupported_syntax: entry(
    200,
    'user',
    false,
    'TypeScript that cannot be erased',
    'Write it without enum, namespace, decorators and parameter properties.',
  ),
  result_not_serializable: entry(
    200,
    'user',
    false,
    'The result cannot be sent as JSON',
    'Return plain JSON values; `error` names the place.',
  ),
  result_mismatch: entry(
    200,
    'user',
    false,
    'The result does not fit resultSchema',
    'Return what the schema describes; `detail` names the place.',
  ),
  exited: entry(200, 'user', false, 'The code ended the process', 'Return a value; do not call exit.'),
  crashed: entry(
    200,
    'user',
    false,
    'The process was killed by a fault',
    'Look for native code that reads memory it does not own.',
  ),
  timeout: entry(
    200,
    'limit',
    false,
    'The code ran longer than its time limit',
    'Do less per run or ask for a larger timeoutMs.',
  ),
  out_of_memory: entry(
    200,
    'limit',
    false,
    'The code used more memory than its limit',
    'Work in smaller pieces or ask for a larger memory limit.',
  ),
  output_limit: entry(
    200,
    'limit',
    false,
    'The code printed more than its limit',
    'Print less; put long output into a file under outputs/.',
  ),
  result_too_large: entry(
    200,
    'limit',
    false,
    'The result is larger than its limit',
    'Return less; put large data into a file under outputs/.',
  ),
  artifacts_too_large: entry(
    200,
    'limit',
    false,
    'The artifacts are larger than their limit',
    'Write fewer or smaller files into outputs/.',
  ),
  process_limit: entry(
    200,
    'limit',
    false,
    'The code started more processes than its limit',
    'Start fewer processes and threads.',
  ),
  disk_limit: entry(
    200,
    'limit',
    false,
    'The code wrote more to disk than its limit',
    'Write less, and delete what is no longer needed.',
  ),
  canceled: entry(200, 'caller', false, 'The run was canceled', 'Send it again if that was not meant.'),
  // Berth and what it stands on
  tenant_provisioning: entry(
    503,
    'platform',
    true,
    "The tenant's berth is not ready yet",
    'Wait for the seconds that Retry-After names.',
  ),
  berth_waking: entry(
    503,
    'platform',
    true,
    'The berth is waking up after a long rest',
    'Wait for the seconds that Retry-After names.',
  ),
  provisioning_failed: entry(
    503,
    'platform',
    true,
    "The tenant's berth could not be made",
    'An operator finds the reason with `berth tenants show`.',
  ),
  berth_broken: entry(
    503,
    'platform',
    false,
    "The tenant's berth needs an operator",
    "An operator finds the reason in the server's log and with `berth reconcile`.",
  ),
  runner_outdated: entry(
    503,
    'platform',
    true,
    'The runner is older than the fence',
    'Berth updates it by itself; repeat.',
  ),
  runner_failed: entry(503, 'platform', true, 'The runner broke down', "Repeat; when it stays, read the server's log."),
  malformed_reply: entry(
    502,
    'platform',
    false,
    "The runner's reply makes no sense",
    'Tell the operator; the log has the request id.',
  ),
  backend_unavailable: entry(
    503,
    'platform',
    true,
    'The backend cannot run code now',
    'Repeat after Retry-After; operators run `berth doctor`.',
  ),
  sandbox_unavailable: entry(
    503,
    'platform',
    false,
    'This machine cannot build a sandbox',
    'Run `berth doctor`; it says what to install.',
  ),
  store_unavailable: entry(
    503,
    'platform',
    true,
    'The store does not answer',
    'Repeat after Retry-After; operators check the database.',
  ),
  identity_unavailable: entry(
    503,
    'platform',
    true,
    'Tokens cannot be checked now',
    "Repeat after Retry-After; operators check the issuer's keys and, for users of Firebase, Google's credentials.",
  ),
  shutting_down: entry(
    503,
    'platform',
    true,
    'This server is stopping',
    'Repeat; another server or the next start takes it.',
  ),
  data_dir_locked: entry(
    503,
    'platform',
    false,
    'Another server uses this data directory',
    'Stop the other server, or set BERTH_DATA_DIR or DATABASE_URL.',
  ),
  // Only the client and the CLI know this one: no server was there to answer.
  server_unreachable: entry(
    503,
    'platform',
    true,
    'No Berth server answers',
    'Start one with `berth serve`, or set BERTH_URL to where it is.',
  ),
  unsupported: entry(
    501,
    'caller',
    false,
    'This backend cannot do that',
    'Use a backend with the capability that `detail` names.',
  ),
  config_invalid: entry(
    500,
    'platform',
    false,
    'The configuration is not valid',
    'Give the setting that is named the value that is expected; docs/configuration.md has all of them.',
  ),
  internal: entry(500, 'platform', true, 'Berth has a bug', 'Report it with the request id.'),
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof errorTable
