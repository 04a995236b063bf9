import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto'

export interface SigningIdentity {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

export interface Signable {
  readonly method: string
  /** Percent-encoded, without a query. */
  readonly path: string
  /** Every one of them is signed; names in lower case, `host` among them. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

const ALGORITHM = 'AWS4-HMAC-SHA256'

const hmac = (key: KeyObject | string, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** `20260131T120000Z` */
const stamp = (date: Date): string => date.toISOString().replaceAll(/[-:]|\.\d+/g, '')

const signingKey = (secret: string, scope: string): KeyObject => {
  const [day = '', ...rest] = scope.split('/')
  let key = hmac(`AWS4${secret}`, day)
  for (const part of rest) key = hmac(createSecretKey(key), part)
  return createSecretKey(key)
}

/**
 * Signs requests of one service in one Region: the headers that a request then has. The key of a day is derived once.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html checked 2026-11-22
 */
export const createSigner = (region: string, service: string) => {
  let known: { readonly secret: string; readonly scope: string; readonly key: KeyObject } | null = null

  const keyOf = (secret: string, scope: string): KeyObject => {
    if (known?.secret !== secret || known.scope !== scope) known = { secret, scope, key: signingKey(secret, scope) }
    return known.key
  }

  return (request: Signable, identity: SigningIdentity, date: Date): Readonly<Record<string, string>> => {
    const time = stamp(date)
    const headers: Record<string, string> = { ...request.headers, 'x-amz-date': time }
    if (identity.sessionToken !== undefined) headers['x-amz-security-token'] = identity.sessionToken
    const names = Object.keys(headers).toSorted()
    const signed = names.join(';')
    // Paths are encoded a second time, for every service but S3.
    const path = encodeURIComponent(request.path).replaceAll('%2F', '/')
    const lines = names.map((name) => `${name}:${headers[name]?.trim()}\n`).join('')
    const canonical = `${request.method}\n${path}\n\n${lines}\n${signed}\n${hash('sha256', request.body)}`
    const scope = `${time.slice(0, 8)}/${region}/${service}/aws4_request`
    const toSign = `${ALGORITHM}\n${time}\n${scope}\n${hash('sha256', canonical)}`
    const signature = hmac(keyOf(identity.secretAccessKey, scope), toSign).toString('hex')
    const credential = `Credential=${identity.accessKeyId}/${scope}`
    headers['authorization'] = `${ALGORITHM} ${credential}, SignedHeaders=${signed}, Signature=${signature}`
    return headers
  }
}
