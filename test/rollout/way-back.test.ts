import { expect, test } from 'vitest'
import type { BerthId } from '../../src/domain/ids.ts'
import type { RolloutScope } from '../../src/rollout/rollout-options.ts'
import { berthAt, countOf, openRolloutSite, v1, v2 } from './scripted-fleet.ts'

const isWell = (_: BerthId, image: string): boolean => image !== v2.image

const parts: readonly RolloutScope[] = [
  { kind: 'percent', percent: 10 },
  { kind: 'berths', berthIds: new Set([7, 8, 9].map(berthAt)) },
]

test.each(parts)(
  'a bad image that a part of the fleet ($kind) was brought to is taken back from all of it',
  async (scope) => {
    const site = openRolloutSite(100, { examined: isWell })

    const report = await site.roll({ scope, onUnhealthy: 'roll_back' })

    expect(site.updates.filter(({ image }) => image === v2.image)).not.toEqual([])
    expect(countOf(site, v1)).toBe(100)
    expect(report).toMatchObject({ state: 'rolled_back', images: { [v1.image]: 100 } })
  },
)

test.each(parts)(
  'a control shows that a part of the fleet ($kind) keeps a bad image that is only halted',
  async (scope) => {
    const site = openRolloutSite(100, { examined: isWell })

    const report = await site.roll({ scope, onUnhealthy: 'halt' })

    expect(countOf(site, v2)).toBeGreaterThan(0)
    expect(report.state).toBe('halted')
  },
)
