import { createStackBerths, type StackBerths } from '../../../src/backends/lambda/stack-berths.ts'
import type { BerthId } from '../../../src/domain/ids.ts'
import { createRandomIds } from '../../../src/main/random-ids.ts'
import { createSystemClock } from '../../../src/main/system-clock.ts'
import type { StandInOptions } from '../../../scripts/aws-local/stand-in.ts'
import { quiet } from '../../contract/content.ts'
import { type AwsCell, type AwsCellOptions, openAwsCell, quickPoll } from '../../support/aws-cell.ts'
import { type AwsLocal, startAwsLocal } from '../../support/aws-local.ts'

export interface CellSite extends AwsCell {
  readonly aws: AwsLocal
  readonly clock: ReturnType<typeof createSystemClock>
  readonly ids: ReturnType<typeof createRandomIds>
  readonly berths: StackBerths
  makeBerth(): Promise<BerthId>
}

/** The AWS stand-in with the real foundation, the runner of this checkout and berths as CloudFormation makes them. */
export const openCellSite = async (options: StandInOptions & AwsCellOptions = {}): Promise<CellSite> => {
  await using parts = new AsyncDisposableStack()
  const aws = parts.use(await startAwsLocal(options))
  const home = parts.use(await openAwsCell(aws, options))
  const clock = createSystemClock()
  const ids = createRandomIds(clock)
  const berths = createStackBerths({ ...home, clock }, { pollMs: quickPoll })
  const owned = parts.move()
  return {
    ...home,
    aws,
    clock,
    ids,
    berths,
    makeBerth: async () => {
      const berthId = ids.berthId()
      await berths.create(berthId, { signal: quiet() })
      return berthId
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
