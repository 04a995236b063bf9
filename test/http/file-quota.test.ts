import { expect, test } from 'vitest'
import type { FileUsage } from '../../src/domain/ports/tenant-files.ts'
import { createFileQuota } from '../../src/http/file-quota.ts'
import { codeOf, quiet } from '../contract/content.ts'
import { ids } from '../support/provisioning-site.ts'

const open = (options: { maxTenantBytes?: number; maxTenantFiles?: number } = {}) => {
  const stored = new Map<string, number>()
  const counted = { times: 0 }
  const usage = async (): Promise<FileUsage> => {
    counted.times += 1
    return { bytes: [...stored.values()].reduce((sum, bytes) => sum + bytes, 0), files: stored.size }
  }
  const quota = createFileQuota({ files: { usage }, maxTenantBytes: 100, ...options })
  const berthId = ids.berthId()
  /** `until` holds the upload's body back. */
  const put = async (name: string, bytes: number, until: Promise<void> = Promise.resolve()) => {
    const upload = { berthId, replacesBytes: stored.get(name) ?? null, declaredBytes: null, signal: quiet() }
    const body = async function* () {
      await until
      yield Buffer.alloc(bytes)
    }
    await quota.hold(upload, async (count) => {
      let sum = 0
      for await (const chunk of count(body())) sum += chunk.length
      stored.set(name, sum)
    })
  }
  return { put, stored, counted }
}

test('a tenant may have so many files and no more; one that is replaced is none more', async () => {
  const { put, stored } = open({ maxTenantFiles: 2 })
  await put('a', 1)
  await put('b', 1)

  const third = put('c', 1)

  await expect(third).rejects.toMatchObject({ code: 'files_quota', message: expect.stringMatching(/may have 2 files/) })
  await put('b', 2)
  stored.delete('a')
  await put('c', 1)
  expect([...stored.keys()]).toEqual(['b', 'c'])
})

test('files that come at the same time are counted before they are there', async () => {
  const { put, stored } = open({ maxTenantFiles: 2 })
  const sent = Promise.withResolvers<void>()
  const first = [put('a', 1, sent.promise), put('b', 1, sent.promise)]

  expect(await codeOf(put('c', 1))).toBe('files_quota')

  sent.resolve()
  await Promise.all(first)
  expect(stored.size).toBe(2)
})

test('an upload lists the files once', async () => {
  const { put, counted } = open()

  await put('a', 1)

  expect(counted.times).toBe(1)
})

test('what has just been written counts though no list has shown it yet', async () => {
  const { put } = open()
  const sent = Promise.withResolvers<void>()
  const slow = put('slow', 30, sent.promise)
  const refused = put('refused', 41, sent.promise)
  refused.catch(() => undefined)
  await put('quick', 40)

  sent.resolve()

  expect(await codeOf(refused)).toBe('files_quota')
  await slow
})
