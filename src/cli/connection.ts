import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Berth, createBerth } from '../client/berth.ts'
import { BerthError } from '../domain/errors.ts'
import { environmentSchema } from '../main/environment.ts'
import { projectKey } from './project-key.ts'

export type ConnectionFlags = Readonly<Record<string, unknown>>

const DEFAULT_URL = 'http://127.0.0.1:8787'
const DEFAULT_PROJECT = 'local'

/** The folder that `berth serve` uses, when it is started here with this environment. */
export const dataDirOf = (env: NodeJS.ProcessEnv): string =>
  resolve(environmentSchema.shape.BERTH_DATA_DIR.parse(env['BERTH_DATA_DIR'] || undefined))

/** @throws {BerthError} config_invalid that names the flag or the variable, whichever was wrong */
export const urlOf = (flags: ConnectionFlags, env: NodeJS.ProcessEnv): string => {
  const flag = textOf(flags['url'])
  const given = flag ?? textOf(env['BERTH_URL']) ?? DEFAULT_URL
  if (URL.canParse(given) && /^https?:$/.test(new URL(given).protocol)) return given
  const name = flag === undefined ? 'BERTH_URL' : '--url'
  const detail = `${name}: expected an http or https URL such as ${DEFAULT_URL}, got ${JSON.stringify(given)}`
  throw new BerthError('config_invalid', detail, {
    data: { remedy: `Set ${name} to the URL that \`berth serve\` printed, or leave it out for ${DEFAULT_URL}.` },
  })
}

/** @throws {BerthError} config_invalid when there is no key, invalid_request when nobody is named to act for */
export const connect = async (
  flags: ConnectionFlags,
  options: { forTenant: boolean; signal: AbortSignal },
): Promise<Berth> => {
  const { env } = process
  const baseUrl = urlOf(flags, env)
  const token = textOf(env['BERTH_TOKEN'])
  const given = textOf(flags['key']) ?? textOf(env['BERTH_KEY'])
  // A token is one user: it names the tenant itself.
  if (given === undefined && token !== undefined) return createBerth({ baseUrl, token })
  const key = given ?? (await operatorKey(env))
  if (!options.forTenant) return createBerth({ baseUrl, key })
  return connectFor({ baseUrl, key }, tenantOf(flags, env), options.signal)
}

interface NamedTenant {
  readonly tenant: string
  readonly identityTenant: string | undefined
  readonly project: string
}

/** A service key names its tenant. An operator key may not act for one, so a service key of the project is made for it. */
const connectFor = async (
  server: { readonly baseUrl: string; readonly key: string },
  { tenant, identityTenant, project }: NamedTenant,
  signal: AbortSignal,
): Promise<Berth> => {
  const asService = createBerth({ ...server, tenant, identityTenant })
  const asItself = createBerth(server)
  const { caller } = await asItself.me({ signal })
  if (caller !== 'operator') return asService
  const key = await projectKey({ ...server, project, folder: dataDirOf(process.env), signal })
  return createBerth({ baseUrl: server.baseUrl, key, tenant, identityTenant })
}

const tenantOf = (flags: ConnectionFlags, env: NodeJS.ProcessEnv): NamedTenant => {
  const tenant = textOf(flags['tenant']) ?? textOf(env['BERTH_TENANT'])
  if (tenant === undefined)
    throw new BerthError('invalid_request', 'for whom is not said', {
      data: { remedy: 'Name the tenant by its uid: --tenant alice, or set BERTH_TENANT.' },
    })
  return {
    tenant,
    identityTenant: textOf(flags['identityTenant']) ?? textOf(env['BERTH_IDENTITY_TENANT']),
    project: textOf(flags['project']) ?? DEFAULT_PROJECT,
  }
}

const operatorKey = async (env: NodeJS.ProcessEnv): Promise<string> => {
  const path = join(dataDirOf(env), 'operator.key')
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    throw new BerthError(
      'config_invalid',
      `there is no key: --key and BERTH_KEY are not set, and ${path} cannot be read`,
      {
        cause: error,
        data: { remedy: 'Start the server with `berth serve` in this folder, or set BERTH_KEY.' },
      },
    )
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
