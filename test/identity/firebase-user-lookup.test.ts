import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { faultOf, isPassing } from '../../src/identity/firebase-fault.ts'
import { openFirebaseUserLookup } from '../../src/identity/firebase-user-lookup.ts'
import { setVariables } from '../support/set-variables.ts'
import { startUserDirectory, type UserDirectory } from '../support/user-directory.ts'

const open = async (variables: Record<string, string | undefined>) => {
  using _ = setVariables(variables)
  // It reads them until it is open.
  return await openFirebaseUserLookup('demo-berth')
}

describe('the look-up of Firebase users, when it is tried out', () => {
  let google: UserDirectory
  beforeEach(async () => {
    google = await startUserDirectory()
  })
  afterEach(() => google[Symbol.asyncDispose]())
  const opened = () => open({ FIREBASE_AUTH_EMULATOR_HOST: google.host })

  test('is usable though the user it asks for does not exist', async () => {
    await using users = await opened()

    expect(await users.tryOut()).toBe('usable')
  })

  test.each([
    [500, 'INTERNAL'],
    [429, 'QUOTA_EXCEEDED : later'],
  ])('is unreachable while Google answers %i', async (status, message) => {
    google.fail(status, message)
    await using users = await opened()

    expect(await users.tryOut()).toBe('unreachable')
  })

  test('is unreachable when nobody is there', async () => {
    await using users = await open({ FIREBASE_AUTH_EMULATOR_HOST: '127.0.0.1:1' })

    expect(await users.tryOut()).toBe('unreachable')
  })

  test.each([
    [403, 'PERMISSION_DENIED : no role'],
    [403, 'Identity Toolkit API has not been used'],
    [404, 'PROJECT_NOT_FOUND'],
    [400, 'CONFIGURATION_NOT_FOUND'],
  ])('says which setting and what to do when Google answers %i %s', async (status, message) => {
    google.fail(status, message)
    await using users = await opened()

    await expect(users.tryOut()).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringMatching(
        /^BERTH_FIREBASE: expected with "revocation" .* got auth\/[a-z-]+, status \d+; set GOOGLE_APPLICATION_CREDENTIALS .*firebaseauth\.viewer/,
      ),
    })
  })
})

describe('without credentials of Google', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-credentials-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test.each([
    ['do not exist', undefined],
    ['are not JSON', '{'],
    ['are of no kind that is known', '{"type":"other"}'],
  ])('that %s the look-up says which setting and what to do', async (_name, content) => {
    const path = join(folder, 'key.json')
    if (content !== undefined) writeFileSync(path, content)
    const variables = { FIREBASE_AUTH_EMULATOR_HOST: undefined, GOOGLE_APPLICATION_CREDENTIALS: path }
    using _ = setVariables(variables)
    await using users = await openFirebaseUserLookup('demo-berth')

    await expect(users.tryOut()).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('got app/invalid-credential; set GOOGLE_APPLICATION_CREDENTIALS'),
    })
    await expect(users.find({ identityTenant: '', uid: 'alice' })).rejects.toMatchObject({
      code: 'identity_unavailable',
    })
  })
})

const fault = (code: string, text: string, more: object = {}): Error => Object.assign(new Error(text), { code }, more)

describe('a fault of a look-up', () => {
  test('keeps codes and no texts, which may quote a token', () => {
    const inner = fault('ENOTFOUND', 'Bearer ya29.secret')
    const error = fault('app/invalid-credential', 'token ya29.secret', { cause: inner })

    expect(faultOf(error)).toEqual({
      code: 'app/invalid-credential',
      network: 'ENOTFOUND',
      status: null,
      text: 'app/invalid-credential, ENOTFOUND',
    })
  })

  test('of credentials is passing when the network is at fault, and not when Google refuses them', () => {
    const offline = fault('app/invalid-credential', '', { cause: fault('ETIMEDOUT', '') })
    const withdrawn = fault('app/invalid-credential', '', { cause: fault('400', '', { response: { status: 400 } }) })

    expect([isPassing(faultOf(offline)), isPassing(faultOf(withdrawn))]).toEqual([true, false])
  })
})
