import { generateKeyPair, exportJWK, SignJWT } from 'jose'
import { firebaseProjectSchema } from '../../src/identity/firebase-project.ts'
import { createFirebaseVerifier } from '../../src/identity/firebase-verifier.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'
import { makeBerthSubject } from './berth-subject.ts'
import { compareInTurn } from './compare.ts'
import { type Figures, ratio, timesOf } from './figures.ts'
import { pythonOneLiner } from './programs.ts'

const PROJECT = 'demo-berth'
const WARM_UP_TOKENS = 600

/** A verifier with keys of its own, and tokens that are never the same, so that none comes from the cache. */
const makeTokens = async () => {
  const { privateKey, publicKey } = await generateKeyPair('RS256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' }
  const verifier = createFirebaseVerifier({
    firebase: firebaseProjectSchema.parse({ project: PROJECT }),
    clock: createSystemClock(),
    fetch: async () => Response.json({ keys: [jwk] }),
  })
  let users = 0
  const sign = (): Promise<string> => {
    const seconds = Math.floor(Date.now() / 1000)
    users += 1
    return new SignJWT({
      iss: `https://securetoken.google.com/${PROJECT}`,
      aud: PROJECT,
      sub: `user-${users}`,
      iat: seconds,
      auth_time: seconds,
      exp: seconds + 3600,
    })
      .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
      .sign(privateKey)
  }
  return { verifier, sign }
}

/** The first check of a token against one run of a single line, through the ports, in one process. */
export const measureIdentity = async (): Promise<readonly Figures[]> => {
  await using subject = await makeBerthSubject()
  const { verifier, sign } = await makeTokens()
  const berthId = await subject.makeBerth()
  const { signal } = new AbortController()
  // The rounds that warm up do not call `before`: they would only find the first token in the cache.
  for (let round = 0; round < WARM_UP_TOKENS; round += 1) await verifier.verify(await sign(), { signal })
  let token = await sign()
  const { verify, run } = await compareInTurn(
    [
      {
        name: 'verify',
        before: async () => {
          token = await sign()
        },
        once: async () => {
          if ((await verifier.verify(token, { signal }))?.kind !== 'user') throw new Error('the token was not taken')
        },
      },
      { name: 'run', once: async () => void (await subject.run(berthId, pythonOneLiner)) },
    ],
    { rounds: 400, budgetMs: 10_000, warmUpRounds: 50 },
  )
  if (verify === undefined || run === undefined) throw new Error('a variant was not measured')
  return [
    {
      values: {
        'identity.verify.share_of_run': ratio(verify.p50, run.p50),
        ...timesOf('identity.verify', verify),
        ...timesOf('identity.run', run),
      },
      omitted: { 'identity.reconcile.10000_users_s': 'there is no reconcile from Firebase yet' },
    },
  ]
}
