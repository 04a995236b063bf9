import type { Waiting } from './runs.ts'
import type { Transport } from './transport.ts'
import type { CreatedKey, NewKey, WireKey } from './wire.ts'

/** For operators. */
export interface Keys {
  /** The secret is in this answer and nowhere else. */
  create(key: NewKey, options?: Waiting): Promise<CreatedKey>
  list(options?: Waiting): Promise<readonly WireKey[]>
  /** @throws {BerthError} not_found */
  revoke(keyId: string, options?: Waiting): Promise<WireKey>
}

export const createKeys = (transport: Transport): Keys => ({
  create: (key, { signal } = {}) =>
    // Not repeated after a broken connection: that would make a second key whose secret nobody has seen.
    transport.json<CreatedKey>({ method: 'POST', path: ['v1', 'keys'], json: key, repeat: 'unstarted', signal }),
  async list({ signal } = {}) {
    const { data } = await transport.json<{ readonly data: readonly WireKey[] }>({
      method: 'GET',
      path: ['v1', 'keys'],
      repeat: 'always',
      signal,
    })
    return data
  },
  revoke: (keyId, { signal } = {}) =>
    transport.json<WireKey>({ method: 'DELETE', path: ['v1', 'keys', keyId], repeat: 'always', signal }),
})
