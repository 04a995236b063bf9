import { hash } from 'node:crypto'

const prefix = 'berth_'
const secretPattern = /^berth_[a-z2-7]{32}$/

/** What the holder of a key sends as a bearer token: a prefix that secret scanners find, and 160 random bits. */
export const formatKeySecret = (randomBits: string): string => `${prefix}${randomBits}`

/** True for anything that claims to be a key, so that a mistyped key is told so and not taken for a broken JWT. */
export const looksLikeKey = (credential: string): boolean => credential.startsWith(prefix)

export const isKeySecret = (credential: string): boolean => secretPattern.test(credential)

/** The store keeps only this. A fast hash is enough for 160 random bits. */
export const hashCredential = (credential: string): string => hash('sha256', credential, 'hex')
