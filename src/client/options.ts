/** How to reach a Berth server, and as whom. */
export interface BerthOptions {
  /** For example `http://127.0.0.1:8787`; a path in it is kept. */
  readonly baseUrl: string
  /** A service key (`berth_…`). Keep it on servers: in a browser use `token`. */
  readonly key?: string | undefined
  /** The end user's own ID token, or what fetches a fresh one before each request. */
  readonly token?: string | (() => string | Promise<string>) | undefined
  /** Uid of the tenant that a service key acts for. Any Unicode. */
  readonly tenant?: string | undefined
  /** Tenant inside a multi-tenant identity project; none by default. */
  readonly identityTenant?: string | undefined
  /** Sends the requests. @default the global fetch */
  readonly fetch?: typeof fetch | undefined
  /** Milliseconds until an answer must have begun; a run adds its own time limit. @default 60000 */
  readonly timeoutMs?: number | undefined
  /** Further tries where a second arrival does no harm. @default 3 */
  readonly retries?: number | undefined
}
