import { expect, test } from 'vitest'
import { createBerth } from '../../src/client/berth.ts'
import { json, reset, startScriptedServer } from './scripted-server.ts'

const stored = { name: 'a.csv', bytes: 3, modifiedAt: '2026-01-01T00:00:00.000Z', sha256: null }

const chunks = async function* (): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode('a,')
  yield new TextEncoder().encode('b')
}

test.each([
  ['text', () => 'a,b'],
  ['bytes', () => new TextEncoder().encode('a,b')],
  ['a blob', () => new Blob(['a,b'])],
  ['an async iterable', chunks],
  ['a stream', () => ReadableStream.from(chunks())],
])('%s is uploaded as it is', async (_, body) => {
  await using server = await startScriptedServer([json(201, stored)])

  const answer = await createBerth({ baseUrl: server.baseUrl }).files.upload('ä b.csv', body())

  expect(answer).toEqual(stored)
  expect(server.received[0]).toMatchObject({ method: 'PUT', path: '/v1/files/%C3%A4%20b.csv', body: 'a,b' })
  expect(server.received[0]?.headers['content-type']).toBe('application/octet-stream')
})

test('bytes are uploaded again after a broken connection, a stream is not', async () => {
  await using forBytes = await startScriptedServer([reset(), json(201, stored)])
  await using forStream = await startScriptedServer([reset(), json(201, stored)])

  await createBerth({ baseUrl: forBytes.baseUrl }).files.upload('a.csv', 'a,b')
  const second = createBerth({ baseUrl: forStream.baseUrl }).files.upload('a.csv', chunks())

  await expect(second).rejects.toMatchObject({ code: 'server_unreachable' })
  expect([forBytes.received.length, forStream.received.length]).toEqual([2, 1])
})

test('a download that breaks off fails with the request in the message, and is never taken for whole', async () => {
  const cut = reset((response) => response.writeHead(200, { 'Content-Length': '10' }).write('abc'))
  await using server = await startScriptedServer([cut])

  const { stream, contentLength } = await createBerth({ baseUrl: server.baseUrl }).files.download('a.csv')

  expect(contentLength).toBe(10)
  await expect(new Response(stream).text()).rejects.toMatchObject({
    code: 'server_unreachable',
    message: expect.stringContaining('/v1/files/a.csv') as string,
  })
})

test('the slashes of an artifact stay, everything else is encoded', async () => {
  await using server = await startScriptedServer([(response) => void response.end('png')])

  const download = await createBerth({ baseUrl: server.baseUrl }).artifacts.download('r1', 'plots/ö?.png')

  expect(await download.text()).toBe('png')
  expect(server.received[0]?.path).toBe('/v1/runs/r1/artifacts/plots/%C3%B6%3F.png')
})
