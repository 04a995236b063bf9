import { once } from 'node:events'
import { createServer } from 'node:http'
import { exportJWK, generateKeyPair, type CryptoKey, type JWTPayload, SignJWT } from 'jose'

export interface TestIssuer extends AsyncDisposable {
  readonly url: string
  readonly jwksUri: string
  /** Requests for the key set so far. */
  fetches(): number
  /** Makes a key and publishes it, unless told otherwise. */
  addKey(kid: string, options?: { alg?: 'RS256' | 'ES256'; published?: boolean }): Promise<CryptoKey>
  withdrawKey(kid: string): void
  /** Every answer is an error from now on. */
  setDown(down: boolean): void
  /** Answered in place of every document, with status 200; null ends that. */
  setBody(text: string | null): void
  sign(key: CryptoKey, claims?: JWTPayload, header?: { alg?: string; kid?: string }): Promise<string>
}

/** A real OIDC issuer over HTTP: discovery, key set, tokens. */
export const startIssuer = async (): Promise<TestIssuer> => {
  const keys = new Map<string, object>()
  let fetches = 0
  let down = false
  let instead: string | null = null
  const server = createServer((request, response) => {
    if (request.url === '/keys') fetches += 1
    const { port } = server.address() as { port: number }
    const base = `http://127.0.0.1:${port}`
    const body = request.url === '/keys' ? { keys: [...keys.values()] } : { issuer: base, jwks_uri: `${base}/keys` }
    response.writeHead(down ? 500 : 200, { 'Content-Type': 'application/json' }).end(instead ?? JSON.stringify(body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  return {
    url,
    jwksUri: `${url}/keys`,
    fetches: () => fetches,
    async addKey(kid, { alg = 'ES256', published = true } = {}) {
      const { privateKey, publicKey } = await generateKeyPair(alg)
      if (published) keys.set(kid, { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' })
      return privateKey
    },
    withdrawKey: (kid) => void keys.delete(kid),
    setDown: (value) => {
      down = value
    },
    setBody: (text) => {
      instead = text
    },
    sign: (key, claims = {}, { alg = 'ES256', kid = 'k1' } = {}) => {
      const seconds = Math.floor(Date.now() / 1000)
      const standard = { iss: url, aud: 'berth', sub: 'alice', iat: seconds, exp: seconds + 600 }
      return new SignJWT({ ...standard, ...claims }).setProtectedHeader({ alg, kid }).sign(key)
    },
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
