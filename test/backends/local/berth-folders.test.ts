import { copyFile, mkdir, readdir, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openLayout } from '../../../src/backends/local/layout.ts'
import { sweepFolder } from '../../../src/backends/local/folder-walk.ts'
import { collect, quiet } from '../../contract/content.ts'
import { ownerOf } from '../../support/owner-of.ts'
import { makeFolder, makeFolders } from './subject.ts'

const signal = quiet()

describe('folders of berths', () => {
  test('nobody but the server may look into a berth', async () => {
    await using folders = await makeFolders()
    const berthId = folders.ids.berthId()
    await folders.berths.create(berthId, { signal })

    for (const path of [folders.layout.berths, folders.layout.berth(berthId), folders.layout.incoming])
      expect((await stat(path)).mode & 0o777).toBe(0o700)
  })

  test('a destroy that was cut off after its first step is partial, and the next one ends it', async () => {
    await using folders = await makeFolders()
    const berthId = folders.ids.berthId()
    await folders.berths.create(berthId, { signal })
    await rename(folders.layout.berth(berthId), `${folders.layout.trash}/${berthId}.cut-off`)
    expect(await folders.berths.find(berthId, { signal })).toEqual({ berthId, partial: true })
    expect(await collect(folders.berths.list({ signal }))).toMatchObject([{ berthId, partial: true }])

    const report = await folders.berths.destroy(berthId, { signal })

    expect(report.deleted[0]).toEqual({ kind: 'folder', name: berthId, count: 1 })
    expect(await folders.berths.find(berthId, { signal })).toBeNull()
    expect(await readdir(folders.layout.trash)).toEqual([])
  })

  test('a record of another berth, or of nobody’s making, makes no owner', async () => {
    await using folders = await makeFolders()
    const [berthId, other] = [folders.ids.berthId(), folders.ids.berthId()]
    for (const id of [berthId, other]) await folders.berths.create(id, { signal })
    await folders.berths.owners.record(ownerOf(other), { signal })
    const trace = () => folders.berths.owners.trace(berthId, { signal })

    await copyFile(folders.layout.owner(other), folders.layout.owner(berthId))
    expect((await trace()).kind).toBe('illegible')
    await writeFile(folders.layout.owner(berthId), '{"format":1,')
    expect((await trace()).kind).toBe('illegible')
    await folders.berths.owners.record(ownerOf(berthId), { signal })
    expect((await trace()).kind).toBe('owned')
  })

  test('what is no berth is not listed', async () => {
    await using folders = await makeFolders()
    await mkdir(join(folders.layout.berths, 'lost+found'))
    await writeFile(join(folders.layout.berths, 'notes.txt'), 'x')

    expect(await collect(folders.berths.list({ signal }))).toEqual([])
  })

  test('200 berths are made, listed and destroyed', async () => {
    await using folders = await makeFolders()
    const ids = Array.from({ length: 200 }, () => folders.ids.berthId())

    for (const berthId of ids) await folders.berths.create(berthId, { signal })
    expect((await collect(folders.berths.list({ signal }))).map((one) => one.berthId).toSorted()).toEqual(
      ids.toSorted(),
    )
    for (const berthId of ids) await folders.berths.destroy(berthId, { signal })

    expect(await collect(folders.berths.list({ signal }))).toEqual([])
  })
})

describe('the data directory', () => {
  test('is refused where every sandbox could read it, also through a symlink', async () => {
    await using folder = await makeFolder()
    const visible = join(folder.path, 'visible')
    await mkdir(visible)
    await symlink(visible, join(folder.path, 'link'))

    await expect(openLayout(join(visible, 'berth'), [visible])).rejects.toMatchObject({ code: 'config_invalid' })
    await expect(openLayout(join(folder.path, 'link', 'berth'), [visible])).rejects.toThrow('BERTH_DATA_DIR')
    // The control: beside it, it is fine; a longer name with the same beginning is beside it.
    await expect(openLayout(join(folder.path, 'visible-not'), [visible])).resolves.toBeDefined()
  })

  test('is refused below the folders of the system', async () => {
    await expect(openLayout('/usr/share/berth-test', [])).rejects.toMatchObject({ code: 'config_invalid' })
  })

  test('loses abandoned uploads at the next start and keeps those that are written to', async () => {
    await using folders = await makeFolders()
    await writeFile(join(folders.layout.incoming, 'upload'), 'x')
    const now = Date.now()

    expect(await sweepFolder(folders.layout.incoming, 60_000, new Date(now))).toBe(0)
    expect(await sweepFolder(folders.layout.incoming, 60_000, new Date(now + 120_000))).toBe(1)
  })
})
