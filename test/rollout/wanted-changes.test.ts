import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { isBerthError } from '../../src/domain/errors.ts'
import { type Wanted, wantedImageSchema } from '../../src/domain/wanted-image.ts'
import {
  hold,
  offer,
  pin,
  pinsAt,
  promote,
  propose,
  raiseFence,
  resume,
  rollBackTo,
  unpin,
} from '../../src/rollout/wanted-changes.ts'
import { berthAt, v1, v2, v3 } from './scripted-fleet.ts'

type Change = (present: Wanted) => Wanted

const anImage = fc.constantFrom(v1, v2, v3, { ...v2, version: 3 }, { ...v3, version: 1 })
const aChange: fc.Arbitrary<Change> = fc.oneof(
  anImage.map(
    (image): Change =>
      (present) =>
        propose(present, image),
  ),
  anImage.map(
    (image): Change =>
      (present) =>
        promote(present, image),
  ),
  fc.integer({ min: 0, max: 4 }).map(
    (fence): Change =>
      (present) =>
        raiseFence(present, fence),
  ),
  fc.constantFrom<Change>(rollBackTo, resume, (present) => hold(present, 'because')),
)

/** Those that are refused change nothing. */
const apply = (present: Wanted, change: Change): Wanted => {
  try {
    return change(present)
  } catch (error) {
    if (!isBerthError(error)) throw error
    return present
  }
}

test('whatever is done in whatever order, what is wanted can be read again and may run', () => {
  fc.assert(
    fc.property(fc.array(aChange, { maxLength: 30 }), (changes) => {
      const wanted = changes.reduce(apply, propose(null, v1))
      expect(wantedImageSchema.parse(JSON.parse(JSON.stringify(wanted)))).toEqual(wanted)
      expect(wanted.candidate?.version ?? wanted.version).toBeGreaterThanOrEqual(wanted.fence)
    }),
    { numRuns: 3000 },
  )
})

test('new berths get an image only by its promotion or on the way back', () => {
  fc.assert(
    fc.property(fc.array(aChange, { maxLength: 30 }), aChange, (changes, change) => {
      const before = changes.reduce(apply, propose(null, v1))
      const after = apply(before, change)
      const allowed = [before.image, before.candidate?.image, before.previous?.image]
      expect(allowed).toContain(after.image)
    }),
  )
})

test('the image that is wanted already is on its way again under another version, and keeps what a rollback goes back to', () => {
  const present = { ...v2, fence: 1, previous: v1 }
  const again = { ...v2, version: 9 }

  const proposed = propose(present, again)

  expect(propose(present, v2)).toEqual(present)
  expect(proposed).toEqual({ ...present, candidate: again })
  expect(() => raiseFence(proposed, 9)).toThrow('expected at most 2')
  expect(promote(proposed, again)).toEqual({ ...again, fence: 1, previous: v1 })
  expect(rollBackTo(proposed)).toEqual({ ...v2, fence: 1 })
})

test('a pin holds until its end, one for each berth', () => {
  const until = '2026-02-01T00:00:00Z'
  const one = { berthId: berthAt(1), image: v1.image, reason: 'audit', until }
  const pinned = pin(pin({ ...v2, fence: 0 }, { ...one, reason: 'older' }), one)

  expect(pinsAt(pinned, new Date('2026-01-31T23:59:59Z'))).toEqual([one])
  expect(pinsAt(pinned, new Date(until))).toEqual([])
  expect(unpin(pinned, berthAt(1)).pins).toEqual([])
})

test('an image that is offered without a rollout is taken back to what was offered before it, and not to what was before that', () => {
  const present = { ...v2, fence: 1, previous: v1, candidate: v3, held: 'lunch' }
  const offered = offer(present, v3)

  expect(offered).toEqual({ ...v3, fence: 1, previous: v2, held: 'lunch' })
  expect(rollBackTo(offered)).toMatchObject(v2)
  // Said twice it is the same, and before the first image there is nothing to go back to.
  expect(offer(offered, v3)).toEqual(offered)
  expect(offer(null, v1)).toEqual({ ...v1, fence: 0 })
})

test('an image behind the fence is not offered, for nothing could run on it', () => {
  expect(() => offer({ ...v2, fence: 2 }, v1)).toThrow('version 1 is behind the fence 2')
})

const wanted: Wanted = { ...v2, fence: 1, previous: v1 }

test.each([3, 1])(
  'the wanted image under version %i is a candidate, for nobody looked yet whether its runner has it',
  (version) => {
    const proposed = propose(wanted, { ...v2, version })

    expect(proposed).toEqual({ ...wanted, candidate: { ...v2, version } })
    // The way back goes to what was wanted, and promotion keeps the image that is really the one before.
    expect(rollBackTo(proposed)).toEqual({ ...v2, fence: 1 })
    expect(promote(proposed, { ...v2, version })).toEqual({ ...wanted, version })
    expect(() => raiseFence(proposed, 3)).toThrow(`expected at most ${Math.min(2, version)}`)
  },
)

test('the wanted image under its own version changes nothing, and ends what else was on its way', () => {
  expect(propose(wanted, v2)).toEqual(wanted)
  expect(propose({ ...wanted, candidate: v3 }, v2)).toEqual(wanted)
  expect(propose(propose(wanted, { ...v2, version: 9 }), v2)).toEqual(wanted)
})

test('another version is no way around a hold, and forgets no update that failed', () => {
  const failed = { image: v2.image, berths: 1, reasons: [] }

  expect(propose({ ...wanted, held: 'it fails', failed }, { ...v2, version: 3 })).toMatchObject({
    held: 'it fails',
    failed,
  })
  // Control: another image is.
  expect(propose({ ...wanted, held: 'it fails', failed }, v3)).toEqual({ ...wanted, candidate: v3 })
})

test('a version that another rollout proposed meanwhile is promoted by that one alone', () => {
  const present = propose(wanted, { ...v2, version: 3 })

  expect(promote(present, { ...v2, version: 9 })).toEqual(present)
})

test('behind the fence the wanted image is not proposed either', () => {
  expect(() => propose({ ...wanted, fence: 2 }, { ...v2, version: 1 })).toThrow('behind the fence 2')
})
