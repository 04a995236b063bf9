import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Berth } from '../../src/client/berth.ts'
import { openSite, type Site } from './site.ts'

const uid = 'forget-me-73b1@example.test'
const content = 'content-to-forget-91c4'
let site: Site
let tenant: Berth

beforeAll(async () => {
  site = await openSite({ BERTH_SPARES: '0' })
  tenant = await site.signUp(uid)
  await tenant.run('1')
  await tenant.files.upload('mine.txt', content)
  await tenant.run(`print("${content}")\nopen("outputs/mine.txt", "w").write("${content}")`)
  await tenant.run(`print("${content}")`, { onStdout: () => undefined })
})

afterAll(() => site[Symbol.asyncDispose]())

/** Every byte of the data directory: files, the database, its log. */
const everything = async (): Promise<string> => {
  const entries = await readdir(site.dataDir, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const texts = await Promise.all(files.map((file) => readFile(file, 'latin1').catch(() => '')))
  return texts.join('\n')
}

const rowsHold = async (): Promise<string> => JSON.stringify(await Array.fromAsync(site.operator.tenants.list()))

test('before the deletion all of it is there (control), after it none, and a late sign-up brings nothing back', async () => {
  // A synchronous run is recorded behind its answer.
  await expect.poll(everything).toContain(content)
  expect(await rowsHold()).toContain(uid)
  const before = (await Array.fromAsync(site.operator.tenants.list())).find(({ externalId }) => externalId?.uid === uid)
  expect(before?.berth?.state).toBe('ready')

  await site.deleteUser(uid)
  await expect.poll(async () => (await site.operator.tenants.get(before?.id ?? '')).state).toBe('deleted')

  const receipt = await site.operator.tenants.receipt(before?.id ?? '')
  expect(receipt.berthIds).toEqual([before?.berth?.id])
  expect(receipt.deleted.length).toBeGreaterThan(0)
  expect(receipt.verifiedAbsent.length).toBeGreaterThan(0)
  expect(await readdir(join(site.dataDir, 'berths'))).toEqual([])
  expect(await rowsHold()).not.toContain(uid)
  const left = await everything()
  expect(left.includes(content)).toBe(false)
  expect(left.includes(uid)).toBe(false)

  await site.signUp(uid)

  await expect(tenant.run('1')).rejects.toMatchObject({ code: 'tenant_deleted' })
  expect(await readdir(join(site.dataDir, 'berths'))).toEqual([])
})
