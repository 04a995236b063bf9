import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KeyStore, Store } from '../../src/domain/ports/store.ts'
import { createServiceKeys } from '../../src/identity/service-keys.ts'
import { createRandomIds } from '../../src/main/random-ids.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'
import { openStore } from '../../src/store/open-store.ts'

const signal = new AbortController().signal
const newKey = { name: 'agent', role: 'service', project: 'demo' } as const

describe('a service key', () => {
  let dataDir: string
  let store: Store
  let shiftMs: number
  let reads: number

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'berth-keys-'))
    store = await openStore({ databaseUrl: null, dataDir, clock: createSystemClock() })
    shiftMs = 0
    reads = 0
  })
  afterEach(async () => {
    await store[Symbol.asyncDispose]()
    await rm(dataDir, { recursive: true })
  })

  const counted = (): KeyStore => ({
    ...store.keys,
    findByHash: (hash) => {
      reads += 1
      return store.keys.findByHash(hash)
    },
  })
  const open = () => {
    const clock = { ...createSystemClock(), monotonicMs: () => performance.now() + shiftMs }
    return createServiceKeys({ keys: counted(), clock, ids: createRandomIds(clock) })
  }

  test('has a secret that scanners recognise and that names its caller', async () => {
    const keys = open()
    const { key, secret } = await keys.create(newKey)

    expect(secret).toMatch(/^berth_[a-z2-7]{32}$/)
    expect(await keys.verify(secret, { signal })).toEqual({ kind: 'service', keyId: key.id, project: 'demo' })
  })

  test('of an operator is one of an operator', async () => {
    const keys = open()
    const { key, secret } = await keys.create({ name: 'ops', role: 'operator', project: null })

    expect(await keys.verify(secret, { signal })).toEqual({ kind: 'operator', keyId: key.id })
  })

  test('never lies in the store as it is', async () => {
    const keys = open()
    const { secret } = await keys.create(newKey)

    expect(JSON.stringify(await keys.list())).not.toContain(secret.slice(6))
  })

  test.each([`berth_${'a'.repeat(32)}`, 'berth_', `berth_${'A'.repeat(32)}`, `berth_${'a'.repeat(33)}`])(
    'that nobody made is refused: %s',
    async (secret) => {
      await expect(open().verify(secret, { signal })).rejects.toMatchObject({ code: 'unauthenticated' })
    },
  )

  test('is read from the store once for many calls, also at the same time', async () => {
    const keys = open()
    const { secret } = await keys.create(newKey)

    await Promise.all(Array.from({ length: 20 }, () => keys.verify(secret, { signal })))
    await keys.verify(secret, { signal })

    expect(reads).toBe(1)
  })

  test('that was revoked is refused at once where it was revoked', async () => {
    const keys = open()
    const { key, secret } = await keys.create(newKey)
    await keys.verify(secret, { signal })
    await keys.revoke(key.id)

    await expect(keys.verify(secret, { signal })).rejects.toMatchObject({ message: 'The key was revoked.' })
  })

  test('that was revoked elsewhere is refused after five seconds', async () => {
    const keys = open()
    const { key, secret } = await keys.create(newKey)
    await keys.verify(secret, { signal })
    await open().revoke(key.id)

    expect(await keys.verify(secret, { signal })).toMatchObject({ kind: 'service' })
    shiftMs = 5001
    await expect(keys.verify(secret, { signal })).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test('whose id is unknown cannot be revoked', async () => {
    await expect(open().revoke(createRandomIds(createSystemClock()).keyId())).rejects.toMatchObject({
      code: 'not_found',
    })
  })

  test('that was chosen outside can be adopted again and again, and stays one key', async () => {
    const keys = open()
    const secret = `berth_${'b'.repeat(32)}`
    const operator = { name: 'first', role: 'operator', project: null } as const
    await keys.adopt(operator, secret)
    await keys.adopt(operator, secret)

    expect(await keys.list()).toHaveLength(1)
    expect(await keys.verify(secret, { signal })).toMatchObject({ kind: 'operator' })
  })

  test('remembers when it was last used', async () => {
    const keys = open()
    const { secret } = await keys.create(newKey)
    await keys.verify(secret, { signal })

    await expect.poll(async () => (await keys.list())[0]?.lastUsedAt).toBeInstanceOf(Date)
  })
})
