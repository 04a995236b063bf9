// @module-tag aws-local
import { createHash } from 'node:crypto'
import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import * as fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { filesPrefixOf, prefixOf } from '../../../src/backends/lambda/names.ts'
import { emptyPrefix } from '../../../src/backends/lambda/s3-empty.ts'
import { createS3Files } from '../../../src/backends/lambda/s3-files.ts'
import { keyOf } from '../../../src/backends/lambda/s3-place.ts'
import { isBerthError } from '../../../src/domain/errors.ts'
import type { BerthId } from '../../../src/domain/ids.ts'
import type { FilePlace, TenantFiles } from '../../../src/domain/ports/tenant-files.ts'
import { bodyOf, codeOf, quiet, textOf } from '../../contract/content.ts'
import { type CellSite, openCellSite } from './cell-site.ts'
import { openScriptedCell } from './scripted-endpoint.ts'

let site: CellSite
let files: TenantFiles
let berthId: BerthId
let place: FilePlace
beforeAll(async () => {
  site = await openCellSite()
  files = createS3Files(site.cell)
})
afterAll(() => site?.[Symbol.asyncDispose]())
beforeEach(() => {
  berthId = site.ids.berthId()
  place = { berthId, area: 'files' }
})

const signal = quiet()
const MIB = 1024 * 1024
const Bucket = () => site.cell.foundation.bucket
const s3 = () => site.cell.clients.s3
/** As code in the berth can: with the role's rights below its own prefix, and no rules for names. */
const putRaw = (key: string, metadata: Record<string, string> = {}) =>
  s3().send(new PutObjectCommand({ Bucket: Bucket(), Key: key, Body: 'raw', Metadata: metadata }))
const uploadsLeft = async () =>
  (await s3().send(new ListMultipartUploadsCommand({ Bucket: Bucket() }))).Uploads?.map(({ Key }) => Key) ?? []
const versionsLeft = async () => {
  const left = await s3().send(new ListObjectVersionsCommand({ Bucket: Bucket(), Prefix: prefixOf(berthId) }))
  return [...(left.Versions ?? []), ...(left.DeleteMarkers ?? [])].map(({ Key }) => Key)
}
async function* chunks(count: number, bytes: number) {
  for (let index = 0; index < count; index += 1) yield Buffer.alloc(bytes, index)
}
const digest = (parts: Iterable<Uint8Array>) => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

describe('a file of many parts', () => {
  test('comes back byte by byte', async () => {
    const sent = await Array.fromAsync(chunks(20, MIB + 1))

    const entry = await files.put(place, 'large', chunks(20, MIB + 1), { maxBytes: 100 * MIB, signal })

    expect(entry).toMatchObject({ bytes: 20 * (MIB + 1), sha256: digest(sent) })
    const found = await files.get(place, 'large', { signal })
    expect(found?.entry.bytes).toBe(20 * (MIB + 1))
    expect(digest(await Array.fromAsync(found?.body ?? []))).toBe(digest(sent))
    expect(await uploadsLeft()).toEqual([])
  })

  test.each([8 * MIB, 16 * MIB, 8 * MIB + 1])('of %i bytes is whole at the seams of parts', async (bytes) => {
    await files.put(place, 'seam', chunks(1, bytes), { maxBytes: bytes, signal })

    expect(await files.usage(place, { signal })).toMatchObject({ bytes: bytes })
  })

  test('that is too large, breaks off or is aborted leaves the old content and no parts', async () => {
    await files.put(place, 'a', bodyOf('old'), { maxBytes: 10, signal })
    const stop = new AbortController()
    const breaking = async function* () {
      yield* chunks(20, MIB)
      throw new Error('connection lost')
    }
    const stalling = async function* () {
      yield* chunks(20, MIB)
      stop.abort(new Error('client left'))
      await new Promise(() => {})
    }

    expect(await codeOf(files.put(place, 'a', chunks(20, MIB), { maxBytes: 17 * MIB, signal }))).toBe('file_too_large')
    await expect(files.put(place, 'a', breaking(), { maxBytes: 100 * MIB, signal })).rejects.toThrow('connection lost')
    await expect(files.put(place, 'a', stalling(), { maxBytes: 100 * MIB, signal: stop.signal })).rejects.toThrow(
      'client left',
    )

    expect(await uploadsLeft()).toEqual([])
    expect(await textOf((await files.get(place, 'a', { signal }))?.body ?? bodyOf())).toBe('old')
  })
})

test('a file of one part keeps its digest, and metadata that are no digest are not taken for one', async () => {
  const { sha256 } = await files.put(place, 'a', bodyOf('content'), { maxBytes: 10, signal })
  await putRaw(keyOf(place, 'forged'), { sha256: '<script>' })

  expect((await files.get(place, 'a', { signal }))?.entry.sha256).toBe(sha256)
  expect((await files.get(place, 'forged', { signal }))?.entry.sha256).toBeNull()
})

test('a download that nobody reads gives its connection back', async () => {
  await using scripted = await openScriptedCell()
  const closed = Promise.withResolvers<'closed'>()
  scripted.endpoint.script = (_, response) => {
    response.writeHead(200, { 'content-length': '100', etag: '"1"' }).flushHeaders()
    response.on('close', () => closed.resolve('closed'))
  }
  const found = await createS3Files(scripted.cell).get(place, 'a', { signal })

  await found?.body[Symbol.asyncIterator]().return?.()

  expect(await closed.promise).toBe('closed')
})

test('a download that is cut short ends with an error, not with less', async () => {
  await using scripted = await openScriptedCell()
  scripted.endpoint.script = (_, response) => {
    response.writeHead(200, { 'content-length': '100', etag: '"1"' })
    response.write('half', () => setImmediate(() => response.destroy()))
  }
  const found = await createS3Files(scripted.cell).get(place, 'a', { signal })

  await expect(textOf(found?.body ?? bodyOf())).rejects.toThrow(/aborted|terminated|hang up|closed/i)
})

test('S3 that refuses is an error without the words of AWS', async () => {
  await using scripted = await openScriptedCell()
  scripted.endpoint.script = (_, response) =>
    void response
      .writeHead(403)
      .end('<Error><Code>AccessDenied</Code><Message>arn:aws:iam::1 may not</Message></Error>')
  const work = createS3Files(scripted.cell).put(place, 'a', bodyOf('x'), { maxBytes: 10, signal })
  const error = await work.catch((error: unknown) => error)

  expect(error).toMatchObject({
    code: 'backend_unavailable',
    data: { operation: 'PutObject', awsError: 'AccessDenied' },
  })
  expect(String(error)).not.toContain('arn:')
})

describe('what code in the berth wrote under names that no caller may use', () => {
  const odd = ['../up', 'a//b', 'a/./b', 'sub/file', '.hidden', 'line\nbreak', 'bell\u0007', '+ %2F&<>"', 'trailing ']

  beforeEach(async () => {
    for (const name of odd) await putRaw(`${filesPrefixOf(berthId)}${name}`)
    await putRaw(`${filesPrefixOf(berthId)}fine`)
  })

  test('is not shown, but counts', async () => {
    const shown = await files.list(place, { cursor: null, limit: 100, signal })

    expect(shown.entries.map(({ name }) => name)).toEqual(['+ %2F&<>"', 'fine'])
    expect(await files.usage(place, { signal })).toMatchObject({ bytes: 3 * (odd.length + 1) })
  })

  test('is deleted with the rest, every version of it, with unfinished uploads', async () => {
    await putRaw(`${filesPrefixOf(berthId)}fine`)
    await files.delete(place, 'fine', { signal })
    await s3().send(new CreateMultipartUploadCommand({ Bucket: Bucket(), Key: `${filesPrefixOf(berthId)}half` }))

    expect(await files.deleteAll(place, { signal })).toBe(odd.length)
    expect(await versionsLeft()).toEqual([])
    expect(await uploadsLeft()).toEqual([])
  })
})

test('a deleted file is hidden; its version stays until the lifecycle or the end of the berth', async () => {
  await files.put(place, 'a', bodyOf('x'), { maxBytes: 10, signal })
  await files.delete(place, 'a', { signal })

  expect(await versionsLeft()).toHaveLength(2)
  expect(await emptyPrefix(site.cell, prefixOf(berthId), { signal })).toEqual({ objects: 0, versions: 2, uploads: 0 })
  expect(await versionsLeft()).toEqual([])
})

test('what a listing shows beyond the prefix is never deleted', async () => {
  await using scripted = await openScriptedCell()
  const stranger = keyOf({ berthId: site.ids.berthId(), area: 'files' }, 'theirs')
  scripted.endpoint.script = ({ url }, response) =>
    void response.end(
      url.includes('uploads')
        ? `<ListMultipartUploadsResult><Upload><Key>${stranger}</Key><UploadId>1</UploadId></Upload></ListMultipartUploadsResult>`
        : `<ListVersionsResult><Version><Key>${stranger}</Key><VersionId>1</VersionId><IsLatest>true</IsLatest></Version></ListVersionsResult>`,
    )

  expect(await emptyPrefix(scripted.cell, prefixOf(berthId), { signal })).toEqual({
    objects: 0,
    versions: 0,
    uploads: 0,
  })
  expect(scripted.endpoint.asked.map(({ method }) => method)).toEqual(['GET', 'GET'])
})

test.each(['', 'berths/', 'berths/b', 'other/', 'berths/baaaaaaaaaaaaaaaa', 'berths/baaaaaaaaaaaaaaa'])(
  'the prefix %j is not one of a berth and is never emptied',
  async (prefix) => {
    await putRaw(keyOf(place, 'a'))

    expect(await codeOf(emptyPrefix(site.cell, prefix, { signal }))).toBe('internal')
    expect(await versionsLeft()).toHaveLength(1)
  },
)

describe('names beyond what one UTF-16 unit holds', () => {
  // The two orders differ between U+E000 to U+FFFF and what lies beyond them.
  const characters = ['a', 'z', 'é', '\uD7FB', '\uFB00', '\uFFFD', '😀', '𐀀']
  const letters = fc.array(fc.constantFrom(...characters), { minLength: 1, maxLength: 4 })
  const someNames = fc.uniqueArray(
    letters.map((all) => all.join('')),
    { minLength: 1, maxLength: 12 },
  )

  test('are listed in the order of units, each once, whatever the size of a page', async () => {
    await fc.assert(
      fc.asyncProperty(someNames, fc.integer({ min: 1, max: 5 }), async (all, limit) => {
        const there: FilePlace = { berthId: site.ids.berthId(), area: 'run', runId: site.ids.runId() }
        for (const name of all) await files.put(there, name, bodyOf('x'), { maxBytes: 1, signal })
        const seen: string[] = []
        for (let cursor: string | null = null, more = true; more; more = cursor !== null) {
          const page = await files.list(there, { cursor, limit, signal })
          seen.push(...page.entries.map(({ name }) => name))
          cursor = page.nextCursor
        }

        expect(seen).toEqual(all.toSorted())
      }),
      { numRuns: 25 },
    )
  })

  test('come in another order from S3 itself (control)', async () => {
    for (const name of ['\uFB00', '😀']) await files.put(place, name, bodyOf('x'), { maxBytes: 1, signal })
    const { Versions = [] } = await s3().send(
      new ListObjectVersionsCommand({ Bucket: Bucket(), Prefix: filesPrefixOf(berthId) }),
    )

    expect(Versions.map(({ Key = '' }) => Key.slice(filesPrefixOf(berthId).length))).toEqual(['\uFB00', '😀'])
    const listed = await files.list(place, { cursor: null, limit: 10, signal })
    expect(listed.entries.map(({ name }) => name)).toEqual(['😀', '\uFB00'])
  })
})

const keyOrRefusal = (own: FilePlace, name: string): string => {
  try {
    return keyOf(own, name)
  } catch (error) {
    return isBerthError(error) ? error.code : String(error)
  }
}

describe('a key', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.constantFrom('..', '.', '', '/', '\\', '%2F', '%2e%2e', '..\\', '😀', 'é', '\0', '\uD800', 'a'))
      .map((all) => all.join('/')),
  )

  test('lies below its place whatever the name contains, and names of two places never meet', () => {
    fc.assert(
      fc.property(hostile, fc.constantFrom('files', 'run'), (name, area) => {
        const [runId, other] = [site.ids.runId(), site.ids.berthId()]
        const own: FilePlace = area === 'files' ? { berthId, area } : { berthId, area: 'run', runId }
        const key = keyOrRefusal(own, name)
        if (key === 'invalid_file_name') return
        const prefix = area === 'files' ? filesPrefixOf(berthId) : `${prefixOf(berthId)}runs/${runId}/`
        expect(key).toBe(`${prefix}${name}`)
        // Nor for whoever takes it for a path of a file or of a URL.
        expect(new URL(`http://host/${key.split('/').map(encodeURIComponent).join('/')}`).pathname).toMatch(
          new RegExp(`^/${prefix}`),
        )
        expect(key.startsWith(prefixOf(other))).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  test('that would be too long for S3 is refused by name', async () => {
    const there: FilePlace = { berthId, area: 'run', runId: site.ids.runId() }
    const work = files.put(there, Array.from({ length: 5 }, () => 'x'.repeat(250)).join('/'), bodyOf(''), {
      maxBytes: 1,
      signal,
    })

    expect(await codeOf(work)).toBe('invalid_file_name')
  })
})

describe('a presigned URL', () => {
  test('gives the file to be saved, never to be shown', async () => {
    await files.put(place, "q'uote ä.html", bodyOf('<script>'), { maxBytes: 10, signal })

    const answer = await fetch((await files.presign(place, "q'uote ä.html", { method: 'GET', signal })) ?? '')

    expect(await answer.text()).toBe('<script>')
    expect(answer.headers.get('content-type')).toBe('application/octet-stream')
    expect(answer.headers.get('content-disposition')).toBe("attachment; filename*=UTF-8''q%27uote%20%C3%A4.html")
  })

  test('takes a file of exactly the size that was asked for', async () => {
    const url = (await files.presign(place, 'up', { method: 'PUT', bytes: 4, signal })) ?? ''

    expect((await fetch(url, { method: 'PUT', body: 'more than four' })).status).toBe(403)
    expect(await files.get(place, 'up', { signal })).toBeNull()
    expect((await fetch(url, { method: 'PUT', body: 'four' })).status).toBe(200)
    expect((await files.get(place, 'up', { signal }))?.entry.bytes).toBe(4)
  })

  test('to upload is not given without a size, for it would lead around every limit', async () => {
    expect(await files.presign(place, 'up', { method: 'PUT', signal })).toBeNull()
  })

  test('is good for its own key and method alone, and not for long', async () => {
    await files.put(place, 'a', bodyOf('mine'), { maxBytes: 10, signal })
    const url = new URL((await files.presign(place, 'a', { method: 'GET', signal })) ?? '')
    const other = new URL(url)
    other.pathname = url.pathname.replace(/a$/, 'b')
    await files.put(place, 'b', bodyOf('also mine'), { maxBytes: 10, signal })

    expect((await fetch(url)).status).toBe(200)
    expect((await fetch(other)).status).toBe(403)
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(403)
    expect(Number(url.searchParams.get('X-Amz-Expires'))).toBeLessThanOrEqual(300)
  })
})

const runs = () => `${prefixOf(berthId)}runs/`
const fromNow = (ms: number) => new Date(Date.now() + ms)

describe('what code wrote beside its runs', () => {
  const strays = ['junk', 'r2/x', 'a\u0001', '/x', 'n\u0308/../x']

  test('goes too when it is called as a run is, for no place of a run begins without a slash behind its id', async () => {
    const runId = site.ids.runId()
    await putRaw(`${runs()}${runId}`)
    await putRaw(`${runs()}${runId}a`)
    await putRaw(`${runs()}${runId}/a`)

    // One letter too long, it is not taken for the place of that run either.
    await files.delete({ berthId, area: 'run', runId }, 'a', { signal })
    expect(await files.listRuns(berthId, { untouchedSince: fromNow(60_000), signal })).toEqual([])
    expect(await files.deleteStrays(berthId, { untouchedSince: fromNow(60_000), signal })).toBe(2)
    expect(await versionsLeft()).not.toContain(`${runs()}${runId}`)
  })

  test('goes with all its versions; places of runs, files and other berths stay', async () => {
    const other = site.ids.berthId()
    const kept = [`${runs()}${site.ids.runId()}/a`, `${filesPrefixOf(berthId)}a`]
    for (const key of [...kept, `${prefixOf(other)}runs/junk`, ...strays.map((name) => `${runs()}${name}`)])
      await putRaw(key)
    await putRaw(`${runs()}junk`)

    expect(await files.deleteStrays(berthId, { untouchedSince: fromNow(60_000), signal })).toBe(strays.length)

    expect(new Set(await versionsLeft())).toEqual(new Set(kept))
    expect(await files.deleteStrays(other, { untouchedSince: fromNow(60_000), signal })).toBe(1)
  })

  test('stays while it is younger than the time that is given', async () => {
    await putRaw(`${runs()}junk`)

    expect(await files.deleteStrays(berthId, { untouchedSince: fromNow(-60_000), signal })).toBe(0)
    expect(await versionsLeft()).toEqual([`${runs()}junk`])
  })
})
