import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSqliteStore } from '../../src/store/open-sqlite-store.ts'
import { openSqliteFile } from '../../src/store/sqlite-file.ts'
import { clock, hasCode, signUp } from '../contract/store-site.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-folder-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8)

test('the folder is made for its owner only, and so are the files', async () => {
  const dataDir = join(root, 'deep', 'data')

  await using store = await openSqliteStore({ dataDir, clock })
  await signUp(store, 'ada')

  expect(modeOf(dataDir)).toBe('700')
  expect(['berth.sqlite', 'berth.sqlite-wal', 'berth.lock'].map((file) => modeOf(join(dataDir, file)))).toEqual([
    '600',
    '600',
    '600',
  ])
})

test('a folder that exists keeps its mode', async () => {
  chmodSync(root, 0o755)

  await using _ = await openSqliteStore({ dataDir: root, clock })

  expect(modeOf(root)).toBe('755')
})

test('a second store on the folder is refused with the folder and the remedy, a store next to it is not', async () => {
  const dataDir = join(root, 'one')
  const first = await openSqliteStore({ dataDir, clock })

  const refused = await openSqliteStore({ dataDir, clock }).catch((error: unknown) => error)
  await using _ = await openSqliteStore({ dataDir: join(root, 'two'), clock })

  expect(refused).toMatchObject(hasCode('data_dir_locked'))
  expect(refused).toHaveProperty('message', expect.stringContaining(dataDir))
  expect(refused).toHaveProperty('message', expect.stringContaining('BERTH_DATA_DIR'))
  await first[Symbol.asyncDispose]()
  await using again = await openSqliteStore({ dataDir, clock })
  await again.ping({ signal: AbortSignal.timeout(60_000) })
})

test('a folder that cannot be made is told as a wrong setting', async () => {
  const file = join(root, 'file')
  writeFileSync(file, '')

  const refused = await openSqliteStore({ dataDir: join(file, 'data'), clock }).catch((error: unknown) => error)

  expect(refused).toMatchObject(hasCode('config_invalid'))
  expect(refused).toHaveProperty('message', expect.stringContaining('BERTH_DATA_DIR'))
})

test('a file that is no database is unavailable, stays as it is, and leaves the folder free', async () => {
  const dataDir = join(root, 'data')
  mkdirSync(dataDir)
  const text = 'this is no database'.repeat(100)
  writeFileSync(join(dataDir, 'berth.sqlite'), text)

  await expect(openSqliteStore({ dataDir, clock })).rejects.toMatchObject(hasCode('store_unavailable'))

  expect(readFileSync(join(dataDir, 'berth.sqlite'), 'utf8')).toBe(text)
  rmSync(join(dataDir, 'berth.sqlite'))
  await using store = await openSqliteStore({ dataDir, clock })
  await store.ping({ signal: AbortSignal.timeout(60_000) })
})

test('commits survive a power cut: WAL with synchronous FULL, and foreign keys are on', () => {
  const sqlite = openSqliteFile(join(root, 'x.sqlite'))
  const pragma = (name: string) => Object.values(sqlite.prepare(`pragma ${name}`).get() ?? {})[0]

  expect([pragma('journal_mode'), pragma('synchronous'), pragma('foreign_keys')]).toEqual(['wal', 2, 1])
  sqlite.close()
})
