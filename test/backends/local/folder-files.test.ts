import { execFileSync } from 'node:child_process'
import { mkdir, open, readdir, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { FilePlace } from '../../../src/domain/ports/tenant-files.ts'
import { bodyOf, quiet, textOf } from '../../contract/content.ts'
import { makeFolders } from './subject.ts'

const signal = quiet()
const MIB = 1024 * 1024

const watchPeak = () => {
  const before = process.memoryUsage.rss()
  let peak = before
  return {
    look: () => {
      peak = Math.max(peak, process.memoryUsage.rss())
    },
    growth: () => peak - before,
  }
}

const all = { cursor: null, limit: 100, signal }

const openFiles = async () => (await readdir('/proc/self/fd')).length

const makeBerth = async () => {
  const folders = await makeFolders()
  const berthId = folders.ids.berthId()
  await folders.berths.create(berthId, { signal })
  const place: FilePlace = { berthId, area: 'files' }
  return { ...folders, berthId, place, folder: folders.layout.files(berthId) }
}

describe('a folder of files that somebody has tampered with', () => {
  test('a symlink in it is not followed, not listed and not deleted', async () => {
    await using berth = await makeBerth()
    const secret = join(berth.layout.root, 'secret')
    await writeFile(secret, 'secret')
    await symlink(secret, `${berth.folder}/link`)
    await writeFile(`${berth.folder}/file`, 'plain')

    expect(await berth.files.get(berth.place, 'link', { signal })).toBeNull()
    expect(await berth.files.delete(berth.place, 'link', { signal })).toBe(false)
    // The control: what is a plain file in the same folder is seen.
    expect((await berth.files.list(berth.place, all)).entries.map((entry) => entry.name)).toEqual(['file'])
  })

  test('a put replaces a symlink and leaves what it pointed to', async () => {
    await using berth = await makeBerth()
    const secret = join(berth.layout.root, 'secret')
    await writeFile(secret, 'secret')
    await symlink(secret, `${berth.folder}/a`)

    await berth.files.put(berth.place, 'a', bodyOf('new'), { maxBytes: 10, signal })

    const found = await berth.files.get(berth.place, 'a', { signal })
    expect(found === null ? null : await textOf(found.body)).toBe('new')
    expect((await stat(secret)).size).toBe(6)
  })

  test('a place that was replaced by a symlink to another berth is no place any more', async () => {
    await using berth = await makeBerth()
    const other = berth.ids.berthId()
    await berth.berths.create(other, { signal })
    await berth.files.put({ berthId: other, area: 'files' }, 'a', bodyOf('theirs'), { maxBytes: 10, signal })
    await rename(berth.folder, `${berth.folder}.away`)
    await symlink(berth.layout.files(other), berth.folder)

    expect(await berth.files.get(berth.place, 'a', { signal })).toBeNull()
    expect((await berth.files.list(berth.place, all)).entries).toEqual([])
    await expect(berth.files.put(berth.place, 'b', bodyOf('x'), { maxBytes: 10, signal })).rejects.toThrow(
      'no such folder',
    )
  })

  test('a symlinked sub-folder of artifacts leads nowhere', async () => {
    await using berth = await makeBerth()
    const runId = berth.ids.runId()
    const run: FilePlace = { berthId: berth.berthId, area: 'run', runId }
    await berth.files.put(berth.place, 'a', bodyOf('file'), { maxBytes: 10, signal })
    await mkdir(berth.layout.run(berth.berthId, runId))
    await symlink('../../files', join(berth.layout.run(berth.berthId, runId), 'out'))

    expect(await berth.files.get(run, 'out/a', { signal })).toBeNull()
    expect((await berth.files.list(run, all)).entries).toEqual([])
    expect(await berth.files.deleteAll(run, { signal })).toBe(0)
    expect(await berth.files.usage(berth.place, { signal })).toMatchObject({ bytes: 4 })
  })

  test('a FIFO does not make a reader wait', async () => {
    await using berth = await makeBerth()
    execFileSync('python3', ['-c', 'import os, sys; os.mkfifo(sys.argv[1])', `${berth.folder}/pipe`])

    expect(await berth.files.get(berth.place, 'pipe', { signal })).toBeNull()
    expect((await berth.files.list(berth.place, all)).entries).toEqual([])
  })
})

describe('uploads', () => {
  test('a crash in the middle leaves nothing that anyone sees', async () => {
    await using berth = await makeBerth()
    // What a killed server leaves: a started file in `incoming`, no rename.
    await writeFile(`${berth.layout.incoming}/started`, 'half')

    expect((await berth.files.list(berth.place, all)).entries).toEqual([])
    expect(await berth.files.usage(berth.place, { signal })).toMatchObject({ bytes: 0 })
  })

  test('while a body still comes, nobody sees a part of it', async () => {
    await using berth = await makeBerth()
    const { promise: hold, resolve: release } = Promise.withResolvers<void>()
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    const slow = (async function* () {
      yield Buffer.from('half')
      begin()
      await hold
      yield Buffer.from('whole')
    })()
    const upload = berth.files.put(berth.place, 'a', slow, { maxBytes: 100, signal })
    await begun

    expect((await berth.files.list(berth.place, all)).entries).toEqual([])
    expect(await readdir(berth.folder)).toEqual([])
    release()
    expect((await upload).bytes).toBe(9)
    expect((await berth.files.list(berth.place, all)).entries).toHaveLength(1)
  })

  test('every path that ends without a file leaves no temporary one', async () => {
    await using berth = await makeBerth()
    await berth.files.put(berth.place, 'big', bodyOf('xxx'), { maxBytes: 2, signal }).catch(() => {})
    const gone = { ...berth.place, berthId: berth.ids.berthId() }
    await berth.files.put(gone, 'a', bodyOf('x'), { maxBytes: 2, signal }).catch(() => {})

    expect(await readdir(berth.layout.incoming)).toEqual([])
  })

  test('a large upload passes through with hardly any memory', async () => {
    await using berth = await makeBerth()
    const chunk = Buffer.alloc(MIB)
    const peak = watchPeak()
    const body = (async function* () {
      for (let n = 0; n < 100; n += 1) {
        peak.look()
        yield chunk
      }
    })()

    const entry = await berth.files.put(berth.place, 'large', body, { maxBytes: 100 * MIB, signal })

    expect(entry.bytes).toBe(100 * MIB)
    expect(peak.growth()).toBeLessThan(50 * MIB)
  })

  test('a large download holds only what is read at the moment', async () => {
    await using berth = await makeBerth()
    const sparse = await open(`${berth.folder}/large`, 'w')
    await sparse.truncate(1024 * MIB)
    await sparse.close()
    const peak = watchPeak()
    let bytes = 0

    const found = await berth.files.get(berth.place, 'large', { signal })
    for await (const chunk of found?.body ?? []) {
      peak.look()
      bytes += chunk.byteLength
    }

    expect(bytes).toBe(1024 * MIB)
    // Chunks wait for the garbage collector, so some of them pile up; a quarter of the file would be far too many.
    expect(peak.growth()).toBeLessThan(256 * MIB)
  })
})

describe('an open file', () => {
  test('is closed at its end, and when the reader leaves before the first chunk or after it', async () => {
    await using berth = await makeBerth()
    await berth.files.put(berth.place, 'a', bodyOf('x'.repeat(300_000)), { maxBytes: 300_000, signal })
    const before = await openFiles()

    for (let round = 0; round < 5; round += 1) {
      const whole = await berth.files.get(berth.place, 'a', { signal })
      if (whole !== null) await textOf(whole.body)
      const unread = await berth.files.get(berth.place, 'a', { signal })
      await unread?.body[Symbol.asyncIterator]().return?.()
      const left = await berth.files.get(berth.place, 'a', { signal })
      const chunks = left?.body[Symbol.asyncIterator]()
      await chunks?.next()
      await chunks?.return?.()
    }

    // Files of others in this process may be closed meanwhile, and what was opened for a moment closes in its own time.
    await expect.poll(openFiles).toBeLessThanOrEqual(before)
  })
})
