import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BerthError } from '../../src/domain/errors.ts'
import type { VerifyOptions } from '../../src/domain/ports/identity-verifier.ts'
import { createFirebaseUserCheck, type FirebaseUserCheckOptions } from '../../src/identity/firebase-user-check.ts'
import { type OpenedUserLookup, openFirebaseUserLookup } from '../../src/identity/firebase-user-lookup.ts'
import { startUserDirectory, type UserDirectory } from '../support/user-directory.ts'
import { createVirtualClock, type VirtualClock } from '../support/virtual-clock.ts'

const { signal } = new AbortController()
const SIGNED_IN = 1_800_000_000

describe('the check of a Firebase user', () => {
  let google: UserDirectory
  let users: OpenedUserLookup
  let clock: VirtualClock

  beforeEach(async () => {
    google = await startUserDirectory()
    using _ = google.asGoogle()
    users = await openFirebaseUserLookup('demo-berth')
    clock = createVirtualClock()
    google.users.set('/alice', { validSince: String(SIGNED_IN - 10) })
  })
  afterEach(async () => {
    await users[Symbol.asyncDispose]()
    await google[Symbol.asyncDispose]()
  })

  interface Call extends Partial<VerifyOptions> {
    readonly identityTenant?: string
    readonly authTime?: number
  }
  const checkOf = (options: Partial<FirebaseUserCheckOptions> = {}) => {
    const check = createFirebaseUserCheck({ policy: 'always', users, clock, ...options })
    return (uid = 'alice', { identityTenant = '', authTime = SIGNED_IN, ...verifying }: Call = {}) =>
      check.assertLetIn({ user: { identityTenant, uid }, authTime }, { signal, ...verifying })
  }

  test('lets in who exists, is enabled and was not signed out since', async () => {
    google.users.set('/bob', { validSince: String(SIGNED_IN) })
    google.users.set('/carol', {})
    const check = checkOf()

    await expect(Promise.all([check(), check('bob'), check('carol')])).resolves.toHaveLength(3)
  })

  test.each<[string, string, () => void]>([
    ['does not exist', 'its user was deleted', () => google.users.delete('/alice')],
    ['is disabled', 'its user is disabled', () => google.users.set('/alice', { disabled: true })],
    [
      'was signed out after their sign-in',
      'it was revoked; sign in again',
      () => google.users.set('/alice', { validSince: String(SIGNED_IN + 1) }),
    ],
  ])('refuses who %s', async (_name, reason, change) => {
    change()

    await expect(checkOf()()).rejects.toMatchObject({
      code: 'unauthenticated',
      message: `The Firebase ID token was refused: ${reason}.`,
    })
  })

  test('looks a user of an Identity Platform tenant up in that tenant', async () => {
    google.users.set('blue/alice', { disabled: true })
    const check = checkOf()

    await check()
    await expect(check('alice', { identityTenant: 'blue' })).rejects.toMatchObject({ code: 'unauthenticated' })
    expect(google.asked).toEqual(['/alice', 'blue/alice'])
  })

  test('refuses who is of an Identity Platform tenant that no longer exists', async () => {
    google.fail(400, 'TENANT_NOT_FOUND')

    await expect(checkOf()('alice', { identityTenant: 'blue' })).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test('asks once for all who wait', async () => {
    google.hold()
    const check = checkOf()
    const waiting = Array.from({ length: 50 }, () => check())
    await google.hasBeenAsked(1)
    google.letGo()

    await Promise.all(waiting)

    expect(google.asked).toEqual(['/alice'])
  })

  test('asks again after a minute and not before, whatever tokens the user has', async () => {
    const check = checkOf()
    await check()
    google.users.set('/alice', { disabled: true })
    await clock.advance(59_999)
    await check('alice', { authTime: SIGNED_IN + 5 })
    await clock.advance(1)

    await expect(check()).rejects.toMatchObject({ code: 'unauthenticated' })
    expect(google.asked).toHaveLength(2)
  })

  test('judges each token of a user by its own sign-in, with one question', async () => {
    google.users.set('/alice', { validSince: String(SIGNED_IN) })
    const check = checkOf()

    await expect(check('alice', { authTime: SIGNED_IN - 1 })).rejects.toMatchObject({ code: 'unauthenticated' })
    await check('alice', { authTime: SIGNED_IN })
    expect(google.asked).toHaveLength(1)
  })

  test('with the policy sensitive asks for no call that only looks, and for every other', async () => {
    google.users.delete('/alice')
    const check = checkOf({ policy: 'sensitive' })

    await check('alice', { sensitive: false })
    expect(google.asked).toEqual([])
    await expect(check('alice', { sensitive: true })).rejects.toMatchObject({ code: 'unauthenticated' })
    await expect(check()).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test('with the policy always asks for a call that only looks too', async () => {
    google.users.delete('/alice')

    await expect(checkOf()('alice', { sensitive: false })).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test.each([
    [500, 'INTERNAL'],
    [429, 'QUOTA_EXCEEDED'],
    [403, 'PERMISSION_DENIED'],
  ])('lets nobody in and refuses nobody while Google answers %i', async (status, message) => {
    google.fail(status, message)
    const check = checkOf()
    await expect(check()).rejects.toMatchObject({ code: 'identity_unavailable', retryAfterSeconds: 2 })
    google.fail(null)
    await clock.advance(1000)

    await check()
  })

  test('does not repeat a question that failed within a second, and asks for others', async () => {
    google.fail(500)
    const check = checkOf()
    for (const uid of ['alice', 'alice', 'bob'])
      await expect(check(uid)).rejects.toMatchObject({ code: 'identity_unavailable' })

    expect(google.asked).toEqual(['/alice', '/bob'])
  })

  test('lets nobody in while Google is not there', async () => {
    await google[Symbol.asyncDispose]()
    const check = checkOf()

    await expect(check()).rejects.toMatchObject({ code: 'identity_unavailable' })
    google = await startUserDirectory()
  })

  test('waits five seconds for an answer and no longer, and then asks again', async () => {
    google.hold()
    const check = checkOf()
    const states: string[] = []
    const waiting = check().catch((error: unknown) => void states.push((error as BerthError).code))
    await google.hasBeenAsked(1)
    await clock.advance(4999)
    states.push('waiting')
    await clock.advance(1)
    await waiting
    google.letGo()

    await check()
    expect(states).toEqual(['waiting', 'identity_unavailable'])
    expect(google.asked).toHaveLength(2)
  })

  test('ends the waiting of a caller who goes away, and no other', async () => {
    google.hold()
    const check = checkOf()
    const gone = new AbortController()
    const [leaver, other] = [check('alice', { signal: gone.signal }), check()]
    await google.hasBeenAsked(1)
    gone.abort(new Error('gone'))

    await expect(leaver).rejects.toThrow('gone')
    google.letGo()
    await other
  })

  test('tells those who come while 64 users are being looked up to come back', async () => {
    google.hold()
    const check = checkOf()
    const waiting = Promise.allSettled(Array.from({ length: 64 }, (_, n) => check(`u${n}`)))
    await google.hasBeenAsked(64)
    await expect(check('late')).rejects.toMatchObject({ code: 'identity_unavailable' })
    google.letGo()
    await waiting
    expect(google.asked).not.toContain('/late')

    await check()
  })

  test('looks others up after ten seconds, however long 64 questions hang', async () => {
    google.hold()
    const check = checkOf()
    const waiting = Promise.allSettled(Array.from({ length: 64 }, (_, n) => check(`u${n}`)))
    await google.hasBeenAsked(64)
    await clock.advance(10_000)
    await waiting

    const late = check('alice')
    await google.hasBeenAsked(65)
    google.letGo()
    await late
    expect(google.asked).toContain('/alice')
  })
})
