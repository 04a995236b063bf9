import { generateKeyPair, exportJWK, SignJWT } from 'jose'
import type { IdentityVerifier } from '../../src/domain/ports/identity-verifier.ts'
import { firebaseProjectSchema } from '../../src/identity/firebase-project.ts'
import { createFirebaseVerifier } from '../../src/identity/firebase-verifier.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'
import { makeBerthSubject } from './berth-subject.ts'
import { compareInTurn } from './compare.ts'
import { type Figures, ratio, timesOf } from './figures.ts'
import { pythonOneLiner } from './programs.ts'
import { measureReconcile } from './reconcile.ts'

const PROJECT = 'demo-berth'
const WARM_UP_TOKENS = 600
const alice = { sub: 'alice' }

/** The first answer of each user holds for a minute, so all but one check of the same user are without a question. */
const users = { find: async () => ({ disabled: false, validSince: 0 }) }

/** Verifiers with keys of their own, and tokens that are never the same, so that none comes from the cache. */
const makeTokens = async () => {
  const { privateKey, publicKey } = await generateKeyPair('RS256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' }
  const open = (revocation: string) =>
    createFirebaseVerifier({
      firebase: firebaseProjectSchema.parse({ project: PROJECT, revocation }),
      clock: createSystemClock(),
      users,
      fetch: async () => Response.json({ keys: [jwk] }),
    })
  let signed = 0
  const sign = ({ sub }: { sub?: string } = {}): Promise<string> => {
    const seconds = Math.floor(Date.now() / 1000)
    signed += 1
    return new SignJWT({
      iss: `https://securetoken.google.com/${PROJECT}`,
      aud: PROJECT,
      sub: sub ?? `user-${signed}`,
      jti: String(signed),
      iat: seconds,
      auth_time: seconds,
      exp: seconds + 3600,
    })
      .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
      .sign(privateKey)
  }
  return { never: open('never'), always: open('always'), sign }
}

/** The first check of a token against one run of a single line, through the ports, in one process. */
const measureVerifying = async (): Promise<Figures> => {
  await using subject = await makeBerthSubject()
  const { never, always, sign } = await makeTokens()
  const berthId = await subject.makeBerth()
  const { signal } = new AbortController()
  // The rounds that warm up do not call `before`: they would only find the first token in the cache.
  for (let round = 0; round < WARM_UP_TOKENS; round += 1) {
    await never.verify(await sign(), { signal })
    await always.verify(await sign(alice), { signal })
  }
  let token = await sign()
  const checking = (name: string, verifier: IdentityVerifier, user: { sub?: string } = {}) => ({
    name,
    before: async () => {
      token = await sign(user)
    },
    once: async () => {
      if ((await verifier.verify(token, { signal }))?.kind !== 'user') throw new Error('the token was not taken')
    },
  })
  const {
    verify,
    always: asking,
    run,
  } = await compareInTurn(
    [
      checking('verify', never),
      checking('always', always, alice),
      { name: 'run', once: async () => void (await subject.run(berthId, pythonOneLiner)) },
    ],
    { rounds: 400, budgetMs: 10_000, warmUpRounds: 50 },
  )
  if (verify === undefined || asking === undefined || run === undefined) throw new Error('a variant was not measured')
  return {
    values: {
      'identity.verify.share_of_run': ratio(verify.p50, run.p50),
      ...timesOf('identity.verify', verify),
      'identity.verify_always.share_of_run': ratio(asking.p50, run.p50),
      ...timesOf('identity.verify_always', asking),
      ...timesOf('identity.run', run),
    },
    omitted: {},
  }
}

/** What tokens cost, and what it costs to bring in the users who are there. */
export const measureIdentity = async (): Promise<readonly Figures[]> => [
  await measureVerifying(),
  await measureReconcile(),
]
