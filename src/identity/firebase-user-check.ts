import { LRUCache } from 'lru-cache'
import { BerthError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { VerifyOptions } from '../domain/ports/identity-verifier.ts'
import {
  type FirebaseUserLookup,
  type FirebaseUserName,
  type FirebaseUserState,
  unavailable,
} from './firebase-user-lookup.ts'

/** Whose token it is, and when they signed in for it, in seconds since the epoch. */
export interface SignedIn {
  readonly user: FirebaseUserName
  readonly authTime: number
}

export interface FirebaseUserCheck {
  /** @throws {BerthError} unauthenticated for who is disabled, deleted or signed out, identity_unavailable */
  assertLetIn(signedIn: SignedIn, options: VerifyOptions): Promise<void>
}

export interface FirebaseUserCheckOptions {
  readonly policy: 'sensitive' | 'always'
  readonly users: FirebaseUserLookup
  readonly clock: Clock
  /** How long a call waits for Firebase. @default 5000 */
  readonly waitMs?: number
}

/** What Firebase said of a user holds for this long, so a token that is taken back may still work for as long. */
const CACHE_MS = 60_000
/** A look-up that failed is not repeated for the same user at once. */
const FAILURE_PAUSE_MS = 1000
const MAX_CACHED_USERS = 10_000
/** While Google hangs, those who come after so many are told to come back. */
const MAX_LOOKUPS = 64
const WAIT_MS = 5000
const PLACE_WAITS = 2

interface Look {
  readonly answer: Promise<FirebaseUserState | null>
  isOpen: boolean
  /** By the clock's monotonic time. While Firebase is being asked, for as long as anybody waits for that answer. */
  until: number
}

/** Asks Firebase about the user of a token, once a minute and user however many calls they make. */
export const createFirebaseUserCheck = (options: FirebaseUserCheckOptions): FirebaseUserCheck => {
  const { policy, users, clock, waitMs = WAIT_MS } = options
  const looks = new LRUCache<string, Look>({ max: MAX_CACHED_USERS })
  let asking = 0

  /** A question that hangs may do so for minutes, when nobody waits for it any more: its place goes to others before that. */
  const takePlace = (): (() => void) => {
    const over = new AbortController()
    asking += 1
    const giveBack = (): void => void (asking -= 1)
    clock.sleep(PLACE_WAITS * waitMs, over.signal).then(giveBack, giveBack)
    return () => over.abort()
  }

  const lookUp = (key: string, user: FirebaseUserName): Look => {
    if (asking >= MAX_LOOKUPS) throw unavailable('too many users are being looked up')
    const free = takePlace()
    // The answer is as old as the question: a revocation may have come between.
    const askedAt = clock.monotonicMs()
    const look: Look = { answer: users.find(user), isOpen: true, until: askedAt + waitMs }
    const settle = (until: number): void => {
      free()
      look.isOpen = false
      look.until = until
    }
    look.answer.then(
      () => settle(askedAt + CACHE_MS),
      () => settle(clock.monotonicMs() + FAILURE_PAUSE_MS),
    )
    looks.set(key, look)
    return look
  }

  return {
    async assertLetIn({ user, authTime }, { signal, sensitive = true }) {
      if (policy === 'sensitive' && !sensitive) return
      const key = JSON.stringify([user.identityTenant, user.uid])
      const known = looks.get(key)
      const { answer, isOpen } = known !== undefined && clock.monotonicMs() < known.until ? known : lookUp(key, user)
      assertHolds(await (isOpen ? within(answer, { clock, signal, waitMs }) : answer), authTime)
    },
  }
}

const refused = (reason: string): BerthError =>
  new BerthError('unauthenticated', `The Firebase ID token was refused: ${reason}.`)

const assertHolds = (state: FirebaseUserState | null, authTime: number): void => {
  if (state === null) throw refused('its user was deleted')
  if (state.disabled) throw refused('its user is disabled')
  // Not "earlier than": what cannot be compared does not hold.
  if (!(authTime >= state.validSince)) throw refused('it was revoked; sign in again')
}

interface Waiting {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly waitMs: number
}

/** The look-up goes on for the others who wait for it. */
const within = async <T>(answer: Promise<T>, { clock, signal, waitMs }: Waiting): Promise<T> => {
  const answered = new AbortController()
  const late = clock.sleep(waitMs, AbortSignal.any([signal, answered.signal])).then(() => {
    throw unavailable(`no answer within ${waitMs} ms`)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    answered.abort()
  }
}
