import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isBerthError } from '../../src/domain/errors.ts'
import type { Berths } from '../../src/domain/ports/berths.ts'
import type { Fleet } from '../../src/domain/ports/fleet.ts'
import type { Ids } from '../../src/domain/ports/ids.ts'
import type { TenantFiles } from '../../src/domain/ports/tenant-files.ts'
import { collect, quiet } from './content.ts'

export interface FleetSubject extends AsyncDisposable {
  readonly fleet: Fleet
  readonly berths: Berths
  readonly files: TenantFiles
  readonly ids: Ids
  readonly capabilities: {
    /** Each berth has an image of its own. False where one runner serves all of them. */
    readonly imagePerBerth: boolean
    /** It is for rollouts: an update of one brings all who share its runner. */
    readonly bringsAll?: true
  }
}

/** What every adapter of `Fleet` must do. */
export const describeFleet = (name: string, make: () => Promise<FleetSubject>): void => {
  describe(`Fleet: ${name}`, () => {
    let subject: FleetSubject
    const signal = quiet()
    beforeAll(async () => {
      subject = await make()
    })
    afterAll(() => subject?.[Symbol.asyncDispose]())

    const madeBerth = async () => {
      const berthId = subject.ids.berthId()
      await subject.berths.create(berthId, { signal })
      return berthId
    }

    test('every made berth is listed with its image, and none that is gone', async () => {
      const [kept, gone] = [await madeBerth(), await madeBerth()]
      await subject.berths.destroy(gone, { signal })

      const members = await collect(subject.fleet.list({ signal }))

      const listed = members.filter((member) => member.berthId === kept)
      expect(listed).toHaveLength(1)
      expect((await subject.fleet.selfTest(kept, { signal })).image).toBe(listed[0]?.image)
      expect(members.map((member) => member.berthId)).not.toContain(gone)
    })

    test('the self-test of a good berth passes every check and leaves no file', async () => {
      await madeBerth()
      const berthId = await madeBerth()

      const report = await subject.fleet.selfTest(berthId, { signal })

      expect(report.checks.filter((check) => !check.passed)).toEqual([])
      expect(report.passed).toBe(true)
      expect(report.runnerVersion).toBeGreaterThan(0)
      expect(await subject.files.usage({ berthId, area: 'files' }, { signal })).toMatchObject({ bytes: 0 })
    })

    test('the self-test of a berth that does not exist ends with an error of Berth', async () => {
      const berthId = subject.ids.berthId()

      const error = await subject.fleet.selfTest(berthId, { signal }).catch((error: unknown) => error)

      expect(isBerthError(error)).toBe(true)
    })

    test('an update to the image that it runs already changes nothing and works', async () => {
      const berthId = await madeBerth()
      const member = (await collect(subject.fleet.list({ signal }))).find((one) => one.berthId === berthId)

      await subject.fleet.update(berthId, member?.image ?? '', { signal })

      expect((await subject.fleet.selfTest(berthId, { signal })).passed).toBe(true)
    })

    test('an update of one berth to a foreign image is refused where all share one runner', async (context) => {
      const { imagePerBerth, bringsAll = false } = subject.capabilities
      context.skip(imagePerBerth || bringsAll, 'what one update brings to a foreign image is meant to go there')
      const berthId = await madeBerth()
      for (const foreign of ['another-image', `another@sha256:${'a'.repeat(64)}`]) {
        const update = subject.fleet.update(berthId, foreign, { signal })

        await expect(update).rejects.toMatchObject({ code: 'unsupported' })
      }
      expect((await subject.fleet.selfTest(berthId, { signal })).passed).toBe(true)
    })

    test('berths say that one update brings them all exactly where they share a runner', async () => {
      const berthId = await madeBerth()
      const { imagePerBerth } = subject.capabilities

      const member = (await collect(subject.fleet.list({ signal }))).find((one) => one.berthId === berthId)

      expect(member?.together ?? false).toBe(!imagePerBerth)
    })
  })
}
