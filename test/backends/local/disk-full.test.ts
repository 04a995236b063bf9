import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { createBerthFolders } from '../../../src/backends/local/berth-folders.ts'
import { createRunnerImages } from '../../../src/backends/local/runner-images.ts'
import { createFolderFiles } from '../../../src/backends/local/folder-files.ts'
import { openLayout } from '../../../src/backends/local/layout.ts'
import { openSqliteStore } from '../../../src/store/open-sqlite-store.ts'
import { bodyOf, codeOf, quiet } from '../../contract/content.ts'
import { clock, ids, signUp } from '../../contract/store-site.ts'

const packaged = fileURLToPath(new URL('../../../runner-image', import.meta.url))
const options = { maxBytes: 1e9, signal: quiet() }

/** A disk of 1 MiB and 60 files. Null where this user may not mount one. */
const smallDisk = (): ({ readonly folder: string } & Disposable) | null => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-disk-'))
  const remove = () => rmdirSync(folder)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,nr_inodes=60', 'berth-test', folder], { stdio: 'ignore' })
  } catch {
    remove()
    return null
  }
  const unmount = () => {
    execFileSync('umount', [folder])
    remove()
  }
  return { folder, [Symbol.dispose]: unmount }
}

const probe = smallDisk()
probe?.[Symbol.dispose]()
const unlessRefused =
  probe === null ? { skip: true, meta: { whySkipped: 'no small disk can be mounted here: it takes root' } } : {}

const openDisk = async () => {
  const disk = smallDisk()
  if (disk === null) throw new Error('expected a disk')
  const layout = await openLayout(join(disk.folder, 'folders'), [])
  const berthId = ids.berthId()
  await createBerthFolders(layout).create(berthId, { signal: quiet() })
  return { disk, layout, berthId, files: createFolderFiles(layout), [Symbol.dispose]: disk[Symbol.dispose] }
}

test('an upload that the disk cannot take is refused by its name and leaves the old file', unlessRefused, async () => {
  using site = await openDisk()
  const place = { berthId: site.berthId, area: 'files' } as const
  await site.files.put(place, 'a.csv', bodyOf(Buffer.alloc(1000)), options)

  expect(await codeOf(site.files.put(place, 'a.csv', bodyOf(Buffer.alloc(2_000_000)), options))).toBe(
    'backend_unavailable',
  )

  expect(readdirSync(site.layout.incoming)).toEqual([])
  const { entries } = await site.files.list(place, { cursor: null, limit: 5, signal: quiet() })
  expect(entries).toMatchObject([{ name: 'a.csv', bytes: 1000 }])
})

test('an artifact whose folders the disk cannot take is refused by its name', unlessRefused, async () => {
  using site = await openDisk()
  const fill = (name: number) => writeFileSync(join(site.disk.folder, `${name}`), '')
  expect(() => Array.from({ length: 100 }, (_, name) => fill(name))).toThrow('ENOSPC')
  rmSync(join(site.disk.folder, '0'))
  const place = { berthId: site.berthId, area: 'run', runId: ids.runId() } as const

  expect(await codeOf(site.files.put(place, 'a/b/c.txt', bodyOf(Buffer.alloc(1)), options))).toBe('backend_unavailable')

  expect(readdirSync(site.layout.incoming)).toEqual([])
})

test('a runner that the disk cannot take is told as that, and leaves nothing behind', unlessRefused, async () => {
  using site = await openDisk()
  const fault = createRunnerImages(packaged, join(site.disk.folder, 'runners')).keep().catch(String)

  expect(await fault).toMatch(/could not be copied.*ENOSPC.*make room/)
  expect(readdirSync(join(site.disk.folder, 'runners'))).toEqual([])
})

test(
  'a store whose disk is full refuses, keeps what it has and goes on when there is room',
  unlessRefused,
  async () => {
    using site = await openDisk()
    const ballast = join(site.disk.folder, 'ballast')
    writeFileSync(ballast, Buffer.alloc(200_000))
    await using store = await openSqliteStore({ dataDir: join(site.disk.folder, 'store'), clock })
    let made = 0
    const untilFull = async () => {
      for (; made < 10_000; made += 1) await signUp(store, `user-${made}`)
    }
    expect(await codeOf(untilFull())).toBe('store_unavailable')
    expect(
      await store.tenants.findByExternalId({ project: 'shop', identityTenant: '', uid: `user-${made}` }),
    ).toBeNull()

    rmSync(ballast)

    expect((await signUp(store, `user-${made}`)).outcome).toBe('created')
    const { entries } = await store.tenants.list({ cursor: null, limit: 10_000, state: null })
    expect(entries).toHaveLength(made + 1)
  },
)
