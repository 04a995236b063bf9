import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BerthId } from '../../src/domain/ids.ts'
import type { Ids } from '../../src/domain/ports/ids.ts'
import type { FilePlace, TenantFiles } from '../../src/domain/ports/tenant-files.ts'
import { bodyOf, codeOf, quiet, textOf } from './content.ts'

export interface TenantFilesSubject extends AsyncDisposable {
  readonly files: TenantFiles
  readonly ids: Ids
  /** A berth that exists and is empty. */
  readonly berthId: BerthId
  readonly otherBerthId: BerthId
  readonly capabilities: {
    /** `presign` gives URLs. False where there is nobody who could serve them. */
    readonly presigns: boolean
  }
}

const signal = quiet()
/** What every adapter of `TenantFiles` must do. */
export const describeTenantFiles = (name: string, make: () => Promise<TenantFilesSubject>): void => {
  describe(`TenantFiles: ${name}`, () => {
    let subject: TenantFilesSubject
    let place: FilePlace
    beforeEach(async () => {
      subject = await make()
      place = { berthId: subject.berthId, area: 'files' }
    })
    afterEach(() => subject[Symbol.asyncDispose]())

    const putInto = (where: FilePlace, fileName: string, text = 'x') =>
      subject.files.put(where, fileName, bodyOf(text), { maxBytes: 1000, signal })
    const put = (fileName: string, text: string, maxBytes = 1000) =>
      subject.files.put(place, fileName, bodyOf(text), { maxBytes, signal })
    const read = async (fileName: string, where = place): Promise<string | null> => {
      const found = await subject.files.get(where, fileName, { signal })
      return found === null ? null : textOf(found.body)
    }
    const names = async (where = place) =>
      (await subject.files.list(where, { cursor: null, limit: 1000, signal })).entries.map((entry) => entry.name)

    test('what was put comes back byte by byte, with its size and digest', async () => {
      const entry = await put('sales.csv', 'a,b\n1,2\n')

      expect(entry).toMatchObject({ name: 'sales.csv', bytes: 8 })
      expect(entry.sha256).toBe(createHash('sha256').update('a,b\n1,2\n').digest('hex'))
      expect(await read('sales.csv')).toBe('a,b\n1,2\n')
    })

    test('a second put replaces the content', async () => {
      await put('a.txt', 'old and long')
      await put('a.txt', 'new')

      expect(await read('a.txt')).toBe('new')
      expect(await subject.files.usage(place, { signal })).toMatchObject({ bytes: 3 })
    })

    test('a reader that began before a replacement reads the old content to its end', async () => {
      await put('a.txt', 'old')
      const before = await subject.files.get(place, 'a.txt', { signal })
      await put('a.txt', 'new')

      expect(before === null ? null : await textOf(before.body)).toBe('old')
    })

    test('an empty file is a file', async () => {
      await put('empty', '')

      expect(await read('empty')).toBe('')
      expect(await names()).toEqual(['empty'])
    })

    test('a body of exactly maxBytes passes and one byte more leaves nothing behind', async () => {
      await put('exact', 'x'.repeat(100), 100)

      expect(await codeOf(put('over', 'x'.repeat(101), 100))).toBe('file_too_large')
      expect(await names()).toEqual(['exact'])
    })

    test('a body that is too large leaves the old content in place', async () => {
      await put('a.txt', 'old')

      expect(await codeOf(put('a.txt', 'too large', 3))).toBe('file_too_large')
      expect(await read('a.txt')).toBe('old')
    })

    test('a body that fails leaves nothing behind and its error comes through', async () => {
      const broken = (async function* () {
        yield Buffer.from('half')
        throw new Error('connection lost')
      })()

      await expect(subject.files.put(place, 'a.txt', broken, { maxBytes: 100, signal })).rejects.toThrow(
        'connection lost',
      )
      expect(await names()).toEqual([])
    })

    test('aborting a put while the body stalls ends it with the reason and leaves nothing behind', async () => {
      const stop = new AbortController()
      const stalled = (async function* () {
        yield Buffer.from('half')
        stop.abort(new Error('client left'))
        await new Promise(() => {})
      })()

      const work = subject.files.put(place, 'a.txt', stalled, { maxBytes: 100, signal: stop.signal })

      await expect(work).rejects.toThrow('client left')
      expect(await names()).toEqual([])
    })

    test('a file that does not exist is null to get and false to delete', async () => {
      expect(await read('nothing')).toBeNull()
      expect(await subject.files.delete(place, 'nothing', { signal })).toBe(false)
    })

    test('a deleted file is gone', async () => {
      await put('a.txt', 'x')

      expect(await subject.files.delete(place, 'a.txt', { signal })).toBe(true)
      expect(await read('a.txt')).toBeNull()
      expect(await names()).toEqual([])
    })

    test('pages list every file once, in order of UTF-16 units', async () => {
      const all = ['B', 'a', 'ä', 'z', '10', '9', '😀', '\uFB00'.normalize('NFC')]
      for (const fileName of all) await put(fileName, 'x')

      const seen: string[] = []
      let cursor: string | null = null
      do {
        const page = await subject.files.list(place, { cursor, limit: 3, signal })
        expect(page.entries.length).toBeLessThanOrEqual(3)
        seen.push(...page.entries.map((entry) => entry.name))
        cursor = page.nextCursor
      } while (cursor !== null)

      expect(seen).toEqual(all.toSorted())
    })

    test('a page that ends with the last file has no next cursor', async () => {
      await put('a', 'x')
      await put('b', 'x')

      expect((await subject.files.list(place, { cursor: null, limit: 2, signal })).nextCursor).toBeNull()
    })

    test.each(['nonsense!', '', '////', Buffer.from([0xff]).toString('base64url')])(
      'the cursor %j, which no page gave, is refused by name',
      async (cursor) => {
        const error = await subject.files.list(place, { cursor, limit: 1, signal }).catch((error: unknown) => error)

        expect(error).toMatchObject({ code: 'invalid_request', errors: [{ pointer: '/cursor' }] })
      },
    )

    test('used bytes are the sum of the sizes', async () => {
      await put('a', 'xx')
      await put('b', 'yyy')

      expect(await subject.files.usage(place, { signal })).toMatchObject({ bytes: 5 })
    })

    test.each([
      '',
      '.',
      '..',
      '../x',
      'a/b',
      '/etc/passwd',
      'a\\b',
      'a\0b',
      '.hidden',
      'a\nb',
      'outputs',
      'x'.repeat(256),
      '\uD800',
      'e\u0301',
    ])('the file name %j is refused everywhere', async (fileName) => {
      expect(await codeOf(put(fileName, 'x'))).toBe('invalid_file_name')
      expect(await codeOf(subject.files.get(place, fileName, { signal }))).toBe('invalid_file_name')
      expect(await codeOf(subject.files.delete(place, fileName, { signal }))).toBe('invalid_file_name')
    })

    test.each([
      'x'.repeat(255),
      'ä'.repeat(127),
      'a b',
      'semi;colon',
      "q'uote",
      '%2e%2e',
      'ünï.csv',
      '日本.csv',
      '-rf',
      '$(id)',
    ])('the odd but allowed name %j works', async (fileName) => {
      await put(fileName, fileName)

      expect(await read(fileName)).toBe(fileName)
      expect(await names()).toEqual([fileName])
    })

    test('names that differ only in case are two files', async () => {
      await put('A.txt', 'upper')
      await put('a.txt', 'lower')

      expect([await read('A.txt'), await read('a.txt')]).toEqual(['upper', 'lower'])
    })

    test('whatever the name is, it is refused or is a file of this place alone', async () => {
      const other: FilePlace = { berthId: subject.otherBerthId, area: 'files' }
      const parts = fc.constantFrom('..', '.', '/', subject.otherBerthId, 'files', 'a', '\0', '\\', '%2f')

      await fc.assert(
        fc.asyncProperty(
          fc.oneof(
            fc.string(),
            fc.array(parts).map((all) => all.join('/')),
          ),
          async (fileName) => {
            const code = await codeOf(put(fileName, 'x'))
            expect(['no error', 'invalid_file_name']).toContain(code)
            expect(await names(other)).toEqual([])
            const there = code === 'no error' && (await subject.files.delete(place, fileName, { signal }))
            expect(there).toBe(code === 'no error')
          },
        ),
        { numRuns: 50 },
      )
    })

    test('files of one berth are not files of another', async () => {
      await put('a.txt', 'mine')
      const other: FilePlace = { berthId: subject.otherBerthId, area: 'files' }

      expect(await read('a.txt', other)).toBeNull()
      expect(await names(other)).toEqual([])
      expect(await subject.files.delete(other, 'a.txt', { signal })).toBe(false)
      // The control: where it belongs, it is there.
      expect(await read('a.txt')).toBe('mine')
    })

    test('artifacts of a run may lie in sub-folders and belong to that run only', async () => {
      const run: FilePlace = { berthId: subject.berthId, area: 'run', runId: subject.ids.runId() }
      const another: FilePlace = { berthId: subject.berthId, area: 'run', runId: subject.ids.runId() }
      await putInto(run, 'plots/one.png', 'png')
      await putInto(run, 'table.csv', 'csv')

      expect(await names(run)).toEqual(['plots/one.png', 'table.csv'])
      expect(await read('plots/one.png', run)).toBe('png')
      expect(await names(another)).toEqual([])
      expect(await names()).toEqual([])
    })

    test.each(['../../files/a.txt', 'a/../../b', '/abs', 'a//b', '', 'a/', './a', 'a\0b', '..'])(
      'the artifact name %j is refused everywhere',
      async (fileName) => {
        const run: FilePlace = { berthId: subject.berthId, area: 'run', runId: subject.ids.runId() }
        await put('a.txt', 'mine')

        expect(await codeOf(putInto(run, fileName, 'x'))).toBe('invalid_file_name')
        expect(await codeOf(subject.files.get(run, fileName, { signal }))).toBe('invalid_file_name')
        expect(await codeOf(subject.files.delete(run, fileName, { signal }))).toBe('invalid_file_name')
        expect(await read('a.txt')).toBe('mine')
      },
    )

    test('deleting all of a run leaves the files and the other runs', async () => {
      const run: FilePlace = { berthId: subject.berthId, area: 'run', runId: subject.ids.runId() }
      const another: FilePlace = { berthId: subject.berthId, area: 'run', runId: subject.ids.runId() }
      await put('keep.csv', 'x')
      await putInto(run, 'a', 'x')
      await putInto(run, 'b/c', 'x')
      await putInto(another, 'd', 'x')

      expect(await subject.files.deleteAll(run, { signal })).toBe(2)
      expect(await names(run)).toEqual([])
      expect(await names(another)).toEqual(['d'])
      expect(await names()).toEqual(['keep.csv'])
      expect(await subject.files.deleteAll(run, { signal })).toBe(0)
    })

    test('the runs of a berth that nobody touched since a time are listed, and no others', async () => {
      const runId = subject.ids.runId()
      await put('a', 'x')
      await putInto({ berthId: subject.berthId, area: 'run', runId }, 'b/c', 'x')
      const untouchedSince = (ms: number, berthId = subject.berthId) =>
        subject.files.listRuns(berthId, { untouchedSince: new Date(Date.now() + ms), signal })

      expect(await untouchedSince(60_000)).toEqual([runId])
      expect(await untouchedSince(-60_000)).toEqual([])
      expect(await untouchedSince(60_000, subject.otherBerthId)).toEqual([])
      await subject.files.deleteAll({ berthId: subject.berthId, area: 'run', runId }, { signal })
      expect(await untouchedSince(60_000)).toEqual([])
    })

    test('deleting all files of a berth leaves it usable', async () => {
      await put('a', 'x')
      await put('b', 'x')

      expect(await subject.files.deleteAll(place, { signal })).toBe(2)
      await put('c', 'x')
      expect(await names()).toEqual(['c'])
    })

    test('an id that is no id never becomes a path', async () => {
      const forged = `../${subject.berthId}` as BerthId

      expect(await codeOf(putInto({ berthId: forged, area: 'files' }, 'a'))).toBe('invalid_request')
    })

    test('a presigned URL is given exactly where the backend says so', async () => {
      await put('a', 'x')

      const url = await subject.files.presign(place, 'a', { method: 'GET', signal })

      expect(url !== null).toBe(subject.capabilities.presigns)
    })

    test('many puts at once to one name leave one whole content', async () => {
      const texts = Array.from({ length: 10 }, (_, index) => String(index).repeat(50))

      await Promise.all(texts.map((text) => put('a', text)))

      expect(texts).toContain(await read('a'))
    })
  })
}
