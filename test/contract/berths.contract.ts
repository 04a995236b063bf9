import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BerthId } from '../../src/domain/ids.ts'
import type { Berths } from '../../src/domain/ports/berths.ts'
import type { Ids } from '../../src/domain/ports/ids.ts'
import type { TenantFiles } from '../../src/domain/ports/tenant-files.ts'
import { ownerOf } from '../support/owner-of.ts'
import { bodyOf, collect, quiet } from './content.ts'

export interface BerthsSubject extends AsyncDisposable {
  readonly berths: Berths
  readonly files: TenantFiles
  readonly ids: Ids
  /** Leaves the berth as a crash in the middle of `create` would. */
  makePartial(berthId: BerthId): Promise<void>
  readonly capabilities?: {
    /** Berths hold files. False where one function without a prefix serves all of them. @default true */
    readonly files: boolean
    /** A berth has parts, so that it can be half made. False where it is one object. @default true */
    readonly parts: boolean
  }
}

const NO_FILES = 'berths of this backend hold no files'

/** What every adapter of `Berths` must do. */
export const describeBerths = (name: string, make: () => Promise<BerthsSubject>): void => {
  describe(`Berths: ${name}`, () => {
    let subject: BerthsSubject
    const signal = quiet()
    beforeEach(async () => {
      subject = await make()
    })
    afterEach(() => subject[Symbol.asyncDispose]())

    const can = () => subject.capabilities ?? { files: true, parts: true }
    const listed = async () => (await collect(subject.berths.list({ signal }))).map((found) => found.berthId)
    const putFile = (berthId: BerthId) =>
      subject.files.put({ berthId, area: 'files' }, `${randomUUID()}.txt`, bodyOf('x'), { maxBytes: 10, signal })

    test('a berth that was never made is not found and not listed', async () => {
      const berthId = subject.ids.berthId()

      expect(await subject.berths.find(berthId, { signal })).toBeNull()
      expect(await listed()).not.toContain(berthId)
    })

    test('a made berth is found whole and listed once', async () => {
      const berthId = subject.ids.berthId()

      await subject.berths.create(berthId, { signal })

      expect(await subject.berths.find(berthId, { signal })).toEqual({ berthId, partial: false })
      expect((await listed()).filter((id) => id === berthId)).toHaveLength(1)
    })

    test('making a berth again keeps what it holds', async (context) => {
      context.skip(!can().files, NO_FILES)
      const berthId = subject.ids.berthId()
      await subject.berths.create(berthId, { signal })
      const { name } = await putFile(berthId)

      await subject.berths.create(berthId, { signal })

      const found = await subject.files.get({ berthId, area: 'files' }, name, { signal })
      await found?.body[Symbol.asyncIterator]().return?.()
      expect(found?.entry.bytes).toBe(1)
    })

    test('a half-made berth is partial until create has run again', async (context) => {
      context.skip(!can().parts, 'a berth of this backend is one object: there or not')
      const berthId = subject.ids.berthId()
      await subject.makePartial(berthId)
      expect(await subject.berths.find(berthId, { signal })).toEqual({ berthId, partial: true })
      expect(await listed()).toContain(berthId)

      await subject.berths.create(berthId, { signal })

      expect(await subject.berths.find(berthId, { signal })).toEqual({ berthId, partial: false })
    })

    test('a destroyed berth is gone with its files, and the report counts them and names what was verified', async (context) => {
      context.skip(!can().files, NO_FILES)
      const berthId = subject.ids.berthId()
      await subject.berths.create(berthId, { signal })
      await putFile(berthId)
      await putFile(berthId)

      const report = await subject.berths.destroy(berthId, { signal })

      expect(await subject.berths.find(berthId, { signal })).toBeNull()
      expect(await listed()).not.toContain(berthId)
      expect(report.deleted.find((item) => item.kind === 'file')?.count).toBe(2)
      expect(report.verifiedAbsent.length).toBeGreaterThan(0)
      expect(await subject.files.usage({ berthId, area: 'files' }, { signal })).toMatchObject({ bytes: 0 })
    })

    test('destroying a half-made berth, or one that never was, ends in the same absence', async () => {
      const half = subject.ids.berthId()
      await subject.makePartial(half)
      const never = subject.ids.berthId()

      await subject.berths.destroy(half, { signal })
      const report = await subject.berths.destroy(never, { signal })

      expect(await subject.berths.find(half, { signal })).toBeNull()
      expect(report.deleted.every((item) => item.count === 0)).toBe(true)
    })

    test('destroying one berth leaves the others alone', async (context) => {
      context.skip(!can().files, NO_FILES)
      const [gone, kept] = [subject.ids.berthId(), subject.ids.berthId()]
      await subject.berths.create(gone, { signal })
      await subject.berths.create(kept, { signal })
      await putFile(kept)

      await subject.berths.destroy(gone, { signal })

      expect(await subject.berths.find(kept, { signal })).toEqual({ berthId: kept, partial: false })
      expect(await subject.files.usage({ berthId: kept, area: 'files' }, { signal })).toMatchObject({ bytes: 1 })
    })

    test('a berth is suspended and resumed as often as one likes, and is whole afterwards', async () => {
      const berthId = subject.ids.berthId()
      await subject.berths.create(berthId, { signal })
      const usable = await subject.berths.standing(berthId, { signal })
      expect(['running', 'nothing_to_suspend']).toContain(usable)
      const suspended = usable === 'running' ? 'suspended' : usable

      for (const verb of ['suspend', 'suspend', 'resume', 'resume'] as const) {
        await subject.berths[verb](berthId, { signal })
        const standing = await subject.berths.standing(berthId, { signal })
        expect(standing).toBe(verb === 'suspend' ? suspended : usable)
      }

      expect(await subject.berths.find(berthId, { signal })).toEqual({ berthId, partial: false })
    })

    test('suspending or resuming a berth that was never made does nothing', async () => {
      const berthId = subject.ids.berthId()

      await subject.berths.suspend(berthId, { signal })
      await subject.berths.resume(berthId, { signal })

      expect(await subject.berths.find(berthId, { signal })).toBeNull()
    })

    test('a new berth is nobody’s, and what lies with it tells whose it is from then on', async () => {
      const berthId = subject.ids.berthId()
      await subject.berths.create(berthId, { signal })
      const owner = ownerOf(berthId)
      const trace = () => subject.berths.owners.trace(berthId, { signal })

      expect(await trace()).toEqual({ kind: 'unclaimed', holdsFiles: false })
      await subject.berths.owners.record(owner, { signal })
      expect(await trace()).toEqual({ kind: 'owned', owner, holdsFiles: false })
      await subject.berths.create(berthId, { signal })
      await subject.berths.owners.record({ ...owner, state: 'suspended' }, { signal })
      expect(await trace()).toEqual({ kind: 'owned', owner: { ...owner, state: 'suspended' }, holdsFiles: false })
      expect(await subject.berths.find(berthId, { signal })).toEqual({ berthId, partial: false })
      expect(await collect(subject.berths.list({ signal }))).toContainEqual(
        expect.objectContaining({ berthId, backend: expect.any(String), cell: expect.any(String) }),
      )
      await subject.berths.destroy(berthId, { signal })
      expect(await trace()).toEqual({ kind: 'unclaimed', holdsFiles: false })
      expect(await listed()).not.toContain(berthId)
    })

    test('files in a berth are seen with and without a record of whose they are', async (context) => {
      context.skip(!can().files, NO_FILES)
      const berthId = subject.ids.berthId()
      await subject.berths.create(berthId, { signal })
      await putFile(berthId)

      expect(await subject.berths.owners.trace(berthId, { signal })).toEqual({ kind: 'unclaimed', holdsFiles: true })
      await subject.berths.owners.record(ownerOf(berthId), { signal })
      expect(await subject.berths.owners.trace(berthId, { signal })).toMatchObject({ kind: 'owned', holdsFiles: true })
    })

    test('an aborted signal stops every method with its reason', async () => {
      const reason = new Error('stopped')
      const stopped = { signal: AbortSignal.abort(reason) }
      const berthId = subject.ids.berthId()

      await expect(subject.berths.create(berthId, stopped)).rejects.toBe(reason)
      await expect(subject.berths.find(berthId, stopped)).rejects.toBe(reason)
      await expect(subject.berths.destroy(berthId, stopped)).rejects.toBe(reason)
      await expect(subject.berths.suspend(berthId, stopped)).rejects.toBe(reason)
      await expect(subject.berths.resume(berthId, stopped)).rejects.toBe(reason)
    })

    test('two creates at once make one whole berth', async () => {
      const berthId = subject.ids.berthId()

      await Promise.all([subject.berths.create(berthId, { signal }), subject.berths.create(berthId, { signal })])

      expect(await subject.berths.find(berthId, { signal })).toEqual({ berthId, partial: false })
    })
  })
}
