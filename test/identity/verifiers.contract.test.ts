import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createOidcVerifier } from '../../src/identity/oidc-verifier.ts'
import { createServiceKeys } from '../../src/identity/service-keys.ts'
import { createRandomIds } from '../../src/main/random-ids.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'
import { openStore } from '../../src/store/open-store.ts'
import { describeIdentityVerifier } from '../contract/identity-verifier.contract.ts'
import { startIssuer } from '../support/issuer.ts'

const clock = createSystemClock()

describeIdentityVerifier('OIDC', async () => {
  const issuer = await startIssuer()
  const key = await issuer.addKey('k1')
  const stranger = await issuer.addKey('k1-of-another', { published: false })
  const verifier = createOidcVerifier({ issuers: [{ project: 'demo', issuer: issuer.url, audience: 'berth' }], clock })
  return {
    verifier,
    valid: {
      credential: await issuer.sign(key),
      caller: { kind: 'user', externalId: { project: 'demo', identityTenant: '', uid: 'alice' } },
    },
    forged: [await issuer.sign(stranger), await issuer.sign(key, { aud: 'another' })],
    foreign: ['berth_abcdefghijklmnopqrstuvwxyz234567', 'opaque'],
    [Symbol.asyncDispose]: () => issuer[Symbol.asyncDispose](),
  }
})

describeIdentityVerifier('keys', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-keys-'))
  const store = await openStore({ databaseUrl: null, dataDir, clock })
  const verifier = createServiceKeys({ keys: store.keys, clock, ids: createRandomIds(clock) })
  const { key, secret } = await verifier.create({ name: 'app', role: 'service', project: 'demo' })
  const revoked = await verifier.create({ name: 'old', role: 'operator', project: null })
  await verifier.revoke(revoked.key.id)
  return {
    verifier,
    valid: { credential: secret, caller: { kind: 'service', keyId: key.id, project: 'demo' } },
    forged: ['berth_abcdefghijklmnopqrstuvwxyz234567', revoked.secret, `${secret}x`],
    foreign: ['header.payload.signature', 'opaque'],
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true })
    },
  }
})
