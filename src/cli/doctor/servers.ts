import { isBerthError } from '../../domain/errors.ts'
import { type Finding, limited, missing, ok } from './finding.ts'

const TIMEOUT_MS = 5_000

/** Postgres, when the environment names one. */
export const checkPostgres = async (databaseUrl: string | undefined): Promise<readonly Finding[]> => {
  if (databaseUrl === undefined || databaseUrl === '') return []
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: TIMEOUT_MS })
  try {
    await client.connect()
    const { rows } = await client.query<{ server_version: string }>('show server_version')
    return [ok('postgres', rows[0]?.server_version ?? 'answers')]
  } catch (error) {
    // Neither the password nor the host belong into a report that people pass on.
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'no answer'
    return [
      missing(
        'postgres',
        `DATABASE_URL is set and the server does not answer: ${reason}`,
        'Start Postgres, mend DATABASE_URL, or unset it to use SQLite.',
      ),
    ]
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** A server that is not there yet is no fault of the machine. */
export const checkServer = async (url: string, signal: AbortSignal): Promise<Finding> => {
  try {
    const within = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])
    const response = await fetch(new URL('ready', `${url.replace(/\/+$/, '')}/`), { signal: within })
    if (response.ok) return ok('server', `${url} is ready`)
    return limited(
      'server',
      `${url} answers ${response.status}: it is not ready`,
      "Wait a moment; when it stays, read the server's log.",
    )
  } catch (error) {
    if (signal.aborted || isBerthError(error)) throw error
    return limited('server', `no server at ${url}`, 'Start one: berth serve')
  }
}
