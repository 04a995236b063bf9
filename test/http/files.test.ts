import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningServer, startServer } from '../support/running-server.ts'

const MAX_FILE = 100_000
const MAX_TENANT = 250_000

const streamOf = (...parts: Uint8Array[]) => ReadableStream.from(parts)

describe('/v1/files', () => {
  let server: RunningServer
  let alice: ReturnType<RunningServer['as']>
  beforeAll(async () => {
    server = await startServer({ BERTH_MAX_FILE_BYTES: String(MAX_FILE), BERTH_MAX_TENANT_BYTES: String(MAX_TENANT) })
    alice = server.as('alice')
  })
  afterAll(() => server[Symbol.asyncDispose]())

  const put = (name: string, body: NonNullable<RequestInit['body']>, as = alice) =>
    as('PUT', `/v1/files/${encodeURIComponent(name)}`, { body })

  test('keeps bytes as they are', async () => {
    const bytes = randomBytes(10_000)
    const written = await put('a.bin', bytes)
    const response = await server.fetch('GET', '/v1/files/a.bin', { key: server.serviceKey, tenant: 'alice' })

    expect(written.status).toBe(201)
    expect(written.body).toMatchObject({ name: 'a.bin', bytes: 10_000 })
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
  })

  test('says whether a file is new or replaced', async () => {
    expect((await put('twice', 'one')).status).toBe(201)
    expect((await put('twice', 'two')).status).toBe(200)
    expect((await alice('GET', '/v1/files/twice')).text).toBe('two')
  })

  test('come from the server itself where the backend has no URL for them, though one is asked for', async () => {
    await put('asked', 'bytes')
    const direct = await alice('GET', '/v1/files/asked?direct=true')

    expect([direct.status, direct.text]).toEqual([200, 'bytes'])
    expect((await alice('GET', '/v1/files/none?direct=true')).status).toBe(404)
    expect((await alice('GET', '/v1/files/asked?direct=yes')).body.code).toBe('invalid_request')
  })

  test('takes an empty file', async () => {
    expect((await put('empty', '')).body.bytes).toBe(0)
    expect((await alice('GET', '/v1/files/empty')).text).toBe('')
  })

  test('are there for a run of the same tenant that names them', async () => {
    await put('sales.csv', 'a,b\n1,2\n')
    const json = { language: 'python', code: 'open("sales.csv").read()', files: ['sales.csv'] }

    expect((await alice('POST', '/v1/runs', { json })).body.results[0].text).toContain('a,b')
  })

  test.each([
    'naïve.csv',
    '日本語.txt',
    'a b.csv',
    'a%20b',
    'a+b&c=d?e#f',
    'quote\'".txt',
    'x'.repeat(255),
    '🐍'.repeat(63),
  ])('takes the name %j and gives it back', async (name) => {
    const as = server.as('names')
    const written = await put(name, 'x', as)
    const read = await as('GET', `/v1/files/${encodeURIComponent(name)}`)

    expect(written.body.name).toBe(name)
    expect(read.text).toBe('x')
    expect(
      decodeURIComponent(/filename\*=UTF-8''(\S+)$/.exec(read.headers.get('content-disposition') ?? '')?.[1] ?? ''),
    ).toBe(name)
    expect((await as('DELETE', `/v1/files/${encodeURIComponent(name)}`)).status).toBe(204)
  })

  test.each([
    'a/b',
    '..%2fx',
    'a\\b',
    '.hidden',
    'outputs',
    ' a',
    'a\n',
    'a\0b',
    'a\u202eb',
    'e\u0301',
    'x'.repeat(256),
    '🐍'.repeat(64),
  ])('refuses the name %j on every method', async (name) => {
    const path = `/v1/files/${encodeURIComponent(name).replaceAll('%252f', '%2f')}`
    for (const [method, options] of [
      ['PUT', { body: 'x' }],
      ['GET', {}],
      ['DELETE', {}],
    ] as const)
      expect(await alice(method, path, options)).toMatchObject({ status: 422, body: { code: 'invalid_file_name' } })
  })

  test('decodes a name once: %252e stays text', async () => {
    await put('%2e%2e%2fpasswd', 'x')

    expect((await alice('GET', '/v1/files/%252e%252e%252fpasswd')).text).toBe('x')
  })

  test('refuses a path that is not percent-encoded UTF-8', async () => {
    for (const path of ['/v1/files/%', '/v1/files/%zz', '/v1/files/%ff'])
      expect(await alice('GET', path)).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
  })

  test('takes a file of exactly its limit and refuses one byte more, with and without a length', async () => {
    const as = server.as('limits')

    expect((await put('at', Buffer.alloc(MAX_FILE), as)).status).toBe(201)
    expect(await put('over', Buffer.alloc(MAX_FILE + 1), as)).toMatchObject({
      status: 413,
      body: { code: 'file_too_large' },
    })
    expect((await put('at', streamOf(Buffer.alloc(MAX_FILE)), as)).status).toBe(200)
    expect(await put('over', streamOf(Buffer.alloc(MAX_FILE), Buffer.alloc(1)), as)).toMatchObject({
      status: 413,
      body: { code: 'file_too_large' },
    })
    expect((await as('GET', '/v1/files/over')).status).toBe(404)
  })

  test('holds the quota of all files at exactly its bytes', async () => {
    const as = server.as('quota')
    await put('a', Buffer.alloc(MAX_FILE), as)
    await put('b', Buffer.alloc(MAX_FILE), as)

    expect(await put('c', Buffer.alloc(50_001), as)).toMatchObject({ status: 413, body: { code: 'files_quota' } })
    expect(await put('c', streamOf(Buffer.alloc(50_000), Buffer.alloc(1)), as)).toMatchObject({
      body: { code: 'files_quota' },
    })
    expect((await put('c', Buffer.alloc(50_000), as)).status).toBe(201)
    expect((await put('c', Buffer.alloc(50_000), as)).status).toBe(200)
    expect((await as('GET', '/v1/me')).body.usedBytes).toBe(MAX_TENANT)
  })

  test('holds the quota against uploads at the same time', async () => {
    const as = server.as('quota-race')
    await put('first', 'x', as)
    const bodies = Array.from({ length: 6 }, (_, n) =>
      put(`f${n}`, streamOf(Buffer.alloc(MAX_FILE / 2), Buffer.alloc(MAX_FILE / 2)), as),
    )
    const answers = await Promise.all(bodies)
    const used = (await as('GET', '/v1/me')).body.usedBytes

    expect(answers.filter(({ status }) => status === 201).length).toBeGreaterThan(0)
    expect(used).toBeLessThanOrEqual(MAX_TENANT)
  })

  test('refuses a compressed body, which would be stored as something else', async () => {
    const answer = await alice('PUT', '/v1/files/z', { body: 'x', headers: { 'Content-Encoding': 'gzip' } })

    expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } })
  })

  test('lists names page by page', async () => {
    const as = server.as('lister')
    for (const name of ['c', 'a', 'b']) await put(name, name, as)
    const first = await as('GET', '/v1/files?limit=2')
    const second = await as('GET', `/v1/files?limit=2&cursor=${encodeURIComponent(first.body.nextCursor)}`)

    expect(first.body.data.map((file: { name: string }) => file.name)).toEqual(['a', 'b'])
    expect(second.body.data.map((file: { name: string }) => file.name)).toEqual(['c'])
    expect(second.body.nextCursor).toBeNull()
  })

  test('deletes a file once', async () => {
    await put('gone', 'x')

    expect((await alice('DELETE', '/v1/files/gone')).status).toBe(204)
    expect((await alice('DELETE', '/v1/files/gone')).status).toBe(404)
    expect((await alice('GET', '/v1/files/gone')).status).toBe(404)
  })

  test('that still come when their tenant is deleted are refused as everything of it is', async () => {
    const as = server.as('leaver')
    await put('a', 'a', as)
    const { id } = (await as('GET', '/v1/me')).body.tenant
    const deleted = Promise.withResolvers<void>()
    const body = async function* () {
      yield Buffer.from('half')
      await deleted.promise
      yield Buffer.from('whole')
    }
    const late = put('late', ReadableStream.from(body()), as)
    await expect.poll(() => readdir(join(server.dataDir, 'incoming'))).toHaveLength(1)
    await server.operator('DELETE', `/v1/tenants/${id}`)
    await expect.poll(async () => (await server.operator('GET', `/v1/tenants/${id}`)).body.state).toBe('deleted')

    deleted.resolve()

    expect(await late).toMatchObject({ status: 410, body: { code: 'tenant_deleted' } })
  })

  test('never lets hostile HTML run on this origin', async () => {
    await put('evil.html', '<script>alert(1)</script>')
    const { headers } = await alice('GET', '/v1/files/evil.html')

    expect(headers.get('content-type')).toBe('application/octet-stream')
    expect(headers.get('content-disposition')).toMatch(/^attachment; /)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-security-policy')).toMatch(/^sandbox;/)
  })

  test('answers HEAD with the headers of GET and no body', async () => {
    await put('head', 'four')
    const { status, headers, text } = await alice('HEAD', '/v1/files/head')

    expect({ status, length: headers.get('content-length'), text }).toEqual({ status: 200, length: '4', text: '' })
  })
})

describe('artifacts of a run', () => {
  let server: RunningServer
  let alice: ReturnType<RunningServer['as']>
  beforeAll(async () => {
    server = await startServer({ BERTH_MAX_INLINE_ARTIFACT_BYTES: '1000' })
    alice = server.as('alice')
  })
  afterAll(() => server[Symbol.asyncDispose]())

  const code = `
import os
os.makedirs("outputs/deep/er", exist_ok=True)
open("outputs/evil.html", "w").write("<script>alert(1)</script>")
open("outputs/deep/er/näme.csv", "w").write("a\\n1\\n")
open("outputs/big.bin", "wb").write(bytes(range(256)) * 100)
`

  test('are listed and fetched by their path, also large ones, always as attachments', async () => {
    const run = await alice('POST', '/v1/runs', { json: { language: 'python', code } })
    const list = await alice('GET', `/v1/runs/${run.body.id}/artifacts`)

    expect(run.body.status).toBe('succeeded')
    expect(list.body.data.map((artifact: { name: string }) => artifact.name).toSorted()).toEqual([
      'big.bin',
      'deep/er/näme.csv',
      'evil.html',
    ])
    for (const { url, bytes } of list.body.data) {
      const response = await server.fetch('GET', url, { key: server.serviceKey, tenant: 'alice' })
      const content = await response.arrayBuffer()

      expect(response.status).toBe(200)
      expect(content.byteLength).toBe(bytes)
      expect(response.headers.get('content-disposition')).toMatch(/^attachment; /)
      expect(response.headers.get('content-type')).not.toMatch(/html|javascript|svg|xml/)
      expect(response.headers.get('content-security-policy')).toMatch(/^sandbox;/)
    }
  })

  test('are only those that the run reported: no path leads elsewhere', async () => {
    await alice('PUT', '/v1/files/secret.txt', { body: 'secret' })
    const { body } = await alice('POST', '/v1/runs', { json: { language: 'python', code: '1' } })

    for (const name of [
      'x',
      '..%2f..%2ffiles%2fsecret.txt',
      '%2e%2e/%2e%2e/files/secret.txt',
      '%2fetc%2fpasswd',
      'a%00b',
    ])
      expect((await alice('GET', `/v1/runs/${body.id}/artifacts/${name}`)).status).toBe(404)
  })
})
