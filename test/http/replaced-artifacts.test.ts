import { glob, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { reportedArtifact } from '../../src/http/reported-artifact.ts'
import { codeOf } from '../contract/content.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'

let server: RunningServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const written = 'what the run wrote'

/** A run with one artifact, and where it lies: on a cloud backend the role of later runs may write there. */
const artifact = async () => {
  const alice = server.as('alice')
  const code = `import os\nos.makedirs("outputs", exist_ok=True)\nopen("outputs/a.txt", "w").write(${JSON.stringify(written)})`
  const { body: run } = await alice('POST', '/v1/runs', { json: { language: 'python', code } })
  const [path] = await Array.fromAsync(glob(`**/runs/${run.id}/a.txt`, { cwd: server.dataDir }))
  return { url: `${run.artifacts[0].url}`, alice, path: join(server.dataDir, path ?? 'none') }
}

test('an artifact that nobody has touched comes with the digest that its run reported', async () => {
  const { alice, url } = await artifact()
  const { status, text, headers } = await alice('GET', url)

  expect([status, text]).toEqual([200, written])
  expect(headers.get('repr-digest')).toMatch(/^sha-256=:/)
})

test('an artifact that a later run has replaced by one of another size is not found', async () => {
  const { alice, url, path } = await artifact()
  await writeFile(path, 'something else altogether')

  for (const method of ['GET', 'HEAD']) expect((await alice(method, url)).status).toBe(404)
})

test('an artifact that a later run has replaced by one of the same size is never handed over', async () => {
  const { alice, url, path } = await artifact()
  await writeFile(path, written.replace('wrote', 'forgd'))

  // The transfer breaks before its last bytes.
  expect(await codeOf(alice('GET', url))).toContain('TypeError')
})

/** An artifact of a run that reported so many bytes, and whether its body was let go. */
const reported = (bytes: number) => {
  let left = 0
  const chunks: AsyncIterator<Uint8Array> = {
    next: async () => ({ done: false, value: Buffer.from(written) }),
    return: async () => {
      left += 1
      return { done: true, value: undefined }
    },
  }
  const entry = { name: 'a', bytes: written.length, modifiedAt: new Date(), sha256: null }
  const body = { [Symbol.asyncIterator]: () => chunks }
  return { work: reportedArtifact({ entry, body }, { bytes, sha256: '0'.repeat(64) }), left: () => left }
}

test('the body of an artifact is let go where nobody reads it', async () => {
  const { work, left } = reported(written.length)
  await (await work).body[Symbol.asyncIterator]().return?.()

  expect(left()).toBe(1)
})

test('the body of an artifact is let go where it was replaced', async () => {
  const { work, left } = reported(written.length + 1)

  expect(await codeOf(work)).toBe('not_found')
  expect(left()).toBe(1)
})
