import { LRUCache } from 'lru-cache'
import { BerthError } from '../domain/errors.ts'
import type { KeyId } from '../domain/ids.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { Caller, IdentityVerifier } from '../domain/ports/identity-verifier.ts'
import type { Ids } from '../domain/ports/ids.ts'
import type { KeyStore, ServiceKey } from '../domain/ports/store.ts'
import { formatKeySecret, hashCredential, isKeySecret, looksLikeKey } from './key-secret.ts'

export interface ServiceKeysOptions {
  readonly keys: KeyStore
  readonly clock: Clock
  readonly ids: Ids
  /** How long another process may still accept a key after it was revoked here. @default 5000 */
  readonly cacheTtlMs?: number
}

export type NewKey = Pick<ServiceKey, 'name' | 'role' | 'project'>

export interface ServiceKeys extends IdentityVerifier {
  /** The secret is in this answer and nowhere else. */
  create(key: NewKey): Promise<{ readonly key: ServiceKey; readonly secret: string }>
  /** Makes a key whose secret was chosen outside, such as BERTH_OPERATOR_KEY. Idempotent. */
  adopt(key: NewKey, secret: string): Promise<void>
  list(): Promise<readonly ServiceKey[]>
  /** Holds at once in this process, and in others when their cache entry is older than `cacheTtlMs`. */
  revoke(keyId: KeyId): Promise<ServiceKey>
}

const TOUCH_INTERVAL_MS = 60_000
const MAX_CACHED_KEYS = 10_000

/** Keys of operators and of services. The hot path reads a cache, not the store. */
export const createServiceKeys = ({ keys, clock, ids, cacheTtlMs = 5000 }: ServiceKeysOptions): ServiceKeys => {
  // A read that was under way while the key was revoked must not bring it back.
  const revokedHere = new Set<KeyId>()
  const touchedAt = new LRUCache<KeyId, number>({ max: MAX_CACHED_KEYS })
  const cache = new LRUCache<string, ServiceKey>({
    max: MAX_CACHED_KEYS,
    ttl: cacheTtlMs,
    ttlResolution: 0,
    perf: { now: () => clock.monotonicMs() },
    fetchMethod: async (hash) => (await keys.findByHash(hash)) ?? undefined,
  })

  const touch = (keyId: KeyId): void => {
    const now = clock.monotonicMs()
    if (now - (touchedAt.get(keyId) ?? Number.NEGATIVE_INFINITY) < TOUCH_INTERVAL_MS) return
    touchedAt.set(keyId, now)
    // When it was last used is a hint for people; a store that fails here must not fail the request.
    keys.touch(keyId, clock.now()).catch(() => touchedAt.delete(keyId))
  }

  const insert = async (key: NewKey, secret: string): Promise<ServiceKey> => {
    const row: ServiceKey = { ...key, id: ids.keyId(), createdAt: clock.now(), lastUsedAt: null, revokedAt: null }
    await keys.insert(row, hashCredential(secret))
    return row
  }

  return {
    async verify(credential) {
      if (!looksLikeKey(credential)) return null
      if (!isKeySecret(credential)) throw new BerthError('unauthenticated', 'The key is malformed.')
      const hash = hashCredential(credential)
      const key = cache.get(hash) ?? (await cache.fetch(hash))
      if (key === undefined) throw new BerthError('unauthenticated', 'The key is not known.')
      if (key.revokedAt !== null || revokedHere.has(key.id))
        throw new BerthError('unauthenticated', 'The key was revoked.')
      touch(key.id)
      return callerOf(key)
    },
    async create(key) {
      const secret = formatKeySecret(ids.secret())
      return { key: await insert(key, secret), secret }
    },
    async adopt(key, secret) {
      if (!isKeySecret(secret)) throw new BerthError('config_invalid', 'The operator key is malformed.')
      await insert(key, secret)
    },
    list: () => keys.list(),
    async revoke(keyId) {
      const key = await keys.revoke(keyId, clock.now())
      if (key === null) throw new BerthError('not_found', 'There is no key of this id.')
      revokedHere.add(keyId)
      return key
    },
  }
}

const callerOf = (key: ServiceKey): Caller => {
  if (key.role === 'operator') return { kind: 'operator', keyId: key.id }
  if (key.project === null) throw new BerthError('unauthenticated', 'The key is bound to no project.')
  return { kind: 'service', keyId: key.id, project: key.project }
}
