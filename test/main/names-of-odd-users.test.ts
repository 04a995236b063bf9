import { createHash } from 'node:crypto'
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { asyncProperty, check, constantFrom, oneof, record, string, tuple } from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  filesPrefixOf,
  logGroupOf,
  nameOf,
  ownerKeyOf,
  prefixOf,
  rolePathOf,
  runsPrefixOf,
} from '../../src/backends/lambda/names.ts'
import { type Layout, openLayout } from '../../src/backends/local/layout.ts'
import type { BerthId } from '../../src/domain/ids.ts'
import type { Store } from '../../src/domain/ports/store.ts'
import type { ExternalId } from '../../src/domain/tenant.ts'
import { openSqliteStore } from '../../src/store/open-sqlite-store.ts'
import { clock, signUp } from '../contract/store-site.ts'
import { ODD_UIDS } from '../support/odd-uids.ts'

let dataDir: string
let store: Store
let layout: Layout
beforeAll(async () => {
  dataDir = await realpath(await mkdtemp(join(tmpdir(), 'berth-odd-')))
  store = await openSqliteStore({ dataDir, clock })
  layout = await openLayout(dataDir, [])
})
afterAll(async () => {
  await store[Symbol.asyncDispose]()
  await rm(dataDir, { recursive: true, force: true })
})

const isAllowed = (text: string): boolean => !text.includes('\0') && text.isWellFormed()
const odd = oneof(constantFrom(...ODD_UIDS), string({ unit: 'binary', minLength: 1, maxLength: 64 }).filter(isAllowed))
const someone = record({
  project: oneof(constantFrom('demo', 'Demo'), odd),
  identityTenant: oneof(constantFrom(''), odd),
  uid: odd,
})

/** Ways to be mistaken for somebody: another writing of the same letters, or the parts joined elsewhere. */
const mistakes: readonly ((id: ExternalId) => ExternalId)[] = [
  (id) => ({ ...id, uid: id.uid.toUpperCase() }),
  (id) => ({ ...id, uid: id.uid.toLowerCase() }),
  (id) => ({ ...id, uid: id.uid.normalize('NFC') }),
  (id) => ({ ...id, uid: id.uid.normalize('NFD') }),
  (id) => ({ ...id, uid: id.uid.normalize('NFKC') }),
  (id) => ({ ...id, uid: `${id.uid} ` }),
  (id) => ({ ...id, uid: encodeURIComponent(id.uid) }),
  (id) => ({ ...id, uid: id.uid.replaceAll(/[^A-Za-z0-9]/g, '-') }),
  (id) => ({ ...id, uid: `x/../${id.uid}` }),
  (id) => ({ project: `${id.project}/${id.identityTenant}`, identityTenant: '', uid: id.uid }),
  (id) => ({ project: id.project, identityTenant: id.uid, uid: id.identityTenant || id.uid }),
]
const pairs = tuple(someone, constantFrom(...mistakes)).map(([one, mistake]) => [one, mistake(one)] as const)

/** Each thing of one user that has a name, and where it lies. */
interface Names {
  readonly aws: readonly string[]
  readonly prefixes: readonly string[]
  readonly folders: readonly string[]
}
type Naming = (id: ExternalId) => Promise<Names>

const named = (berthId: string, folder: string): Names => {
  // Only the types know an id of Berth from a name that somebody chose; the control brings the latter.
  const id = berthId as BerthId
  return {
    aws: [nameOf('prod', id), logGroupOf('prod', id), `${rolePathOf('prod')}${nameOf('prod', id)}`],
    prefixes: [prefixOf(id), filesPrefixOf(id), runsPrefixOf(id), ownerKeyOf(id)],
    folders: [folder],
  }
}

const real: Naming = async (externalId) => {
  const { berth } = await signUp(store, '', { externalId, maxBerths: 100_000 })
  if (berth === null) throw new Error('no berth')
  return named(berth.id, layout.berth(berth.id))
}

const faultOf = (one: Names, other: Names): string | null => {
  const all = (names: Names): readonly string[] => [...names.aws, ...names.prefixes, ...names.folders]
  // Role names and some file systems do not tell cases apart; accents are stored in another form by others.
  const alike = new Set(all(one).map((name) => name.normalize('NFKC').toLowerCase()))
  if (all(other).some((name) => alike.has(name.normalize('NFKC').toLowerCase()))) return 'collides'
  if (all(other).some((name) => one.prefixes.some((prefix) => name.startsWith(prefix)))) return 'lies within'
  for (const names of [one, other]) {
    // A stack's name is the strictest: letters, digits and hyphens, 128 of them; a role's has 64 at most.
    if (!/^[A-Za-z][A-Za-z0-9-]{0,63}$/.test(names.aws[0] ?? '')) return 'is no name on AWS'
    if (!names.folders.every((folder) => resolve(folder) === folder && folder.startsWith(`${layout.berths}/`)))
      return 'escapes'
  }
  return null
}

const explore = (naming: Naming) =>
  check(
    asyncProperty(pairs, async ([one, other]) => {
      if (JSON.stringify(one) === JSON.stringify(other)) return
      const fault = faultOf(await naming(one), await naming(other))
      if (fault !== null) throw new Error(fault)
    }),
    // A seed, for a control must not fail to fail.
    { numRuns: 150, seed: 6 },
  )

test('whoever two users are, what is theirs on AWS and on disk never collides and never escapes', async () => {
  const { failed, counterexample, errorInstance } = await explore(real)

  expect([failed, counterexample, errorInstance]).toEqual([false, null, null])
})

/** Controls: what one would do without thinking fails the same property. */
test.each<[string, (id: ExternalId) => string]>([
  ['the uid as it is', ({ uid }) => uid],
  ['a slug of the uid', ({ uid }) => uid.toLowerCase().replaceAll(/[^a-z0-9]/g, '-')],
  ['the parts, joined and encoded', (id) => Object.values(id).map(encodeURIComponent).join('-')],
  ['a digest of the uid alone', ({ uid }) => createHash('sha256').update(uid).digest('hex').slice(0, 32)],
])('named by %s they would', async (_name, slug) => {
  const { failed } = await explore(async (id) => named(slug(id), `${layout.berths}/${slug(id)}`))

  expect(failed).toBe(true)
})

test('each odd user has a tenant of their own, who is found by their name again', async () => {
  const found = new Map<string, string>()
  for (const uid of ODD_UIDS) {
    const externalId = { project: 'odd', identityTenant: '', uid }
    const { tenant } = await signUp(store, '', { externalId, maxBerths: 100_000 })
    expect((await store.tenants.findByExternalId(externalId))?.externalId).toEqual(externalId)
    found.set(tenant.id, uid)
  }

  expect(found.size).toBe(ODD_UIDS.length)
})
