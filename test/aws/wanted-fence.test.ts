import { expect, test } from 'vitest'
import { createWantedFence } from '../../src/aws/wanted-fence.ts'
import { BerthError } from '../../src/domain/errors.ts'
import type { Wanted } from '../../src/domain/wanted-image.ts'
import { codeOf, quiet } from '../contract/content.ts'
import { berthAt, v1, v2 } from '../rollout/scripted-fleet.ts'

const openFence = () => {
  const place: { wanted: Wanted | null; down: boolean } = { wanted: { ...v1, fence: 1, candidate: v2 }, down: false }
  const fences = createWantedFence({
    read: async () => {
      if (place.down) throw new BerthError('backend_unavailable', 'the parameter does not answer')
      return place.wanted
    },
  })
  return { place, of: () => fences.of(berthAt(0), { signal: quiet() }) }
}

test('the fence brings a berth to the image that all get, not to one on its way', async () => {
  expect(await openFence().of()).toEqual({ minRunnerVersion: 1, image: v1.image })
})

test('before the first image there is no fence', async () => {
  const { place, of } = openFence()
  place.wanted = null

  expect(await of()).toBeNull()
})

test('while the parameter is away the fence that was seen last holds, and the next one as soon as it is back', async () => {
  const { place, of } = openFence()
  await of()
  place.wanted = { ...v2, fence: 2 }
  place.down = true

  const meanwhile = await of()
  place.down = false

  expect([meanwhile?.minRunnerVersion, (await of())?.minRunnerVersion]).toEqual([1, 2])
})

test('a fence that was never seen is an error, and no leave to run', async () => {
  const { place, of } = openFence()
  place.down = true

  expect(await codeOf(of())).toBe('backend_unavailable')
})
