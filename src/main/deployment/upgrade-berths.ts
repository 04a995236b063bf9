import PQueue from 'p-queue'
import { createCellClients } from '../../aws/clients.ts'
import { openCell } from '../../aws/open-cell.ts'
import { createPacer } from '../../aws/pacer.ts'
import { createStackBerths } from '../../backends/lambda/stack-berths.ts'
import { isBerthError } from '../../domain/errors.ts'
import type { BerthId } from '../../domain/ids.ts'
import type { CellSetting } from '../cell-setting.ts'
import { createSystemClock } from '../system-clock.ts'
import type { Following } from './deployment.ts'

export interface UpgradeReport {
  readonly cell: string
  readonly berths: number
  readonly upgraded: number
  readonly unchanged: number
  readonly failed: readonly { readonly berthId: BerthId; readonly error: string }[]
}

/** Updates under way at once; the pacer keeps the rate, this bounds what is open when something goes wrong. */
const AT_ONCE = 20

/** Brings every berth's stack of a cell to the present template and function settings. Each keeps the image that it runs. */
export const upgradeBerths = async (
  setting: CellSetting,
  { apply, signal, onProgress }: Following & { readonly apply: boolean },
): Promise<UpgradeReport> => {
  using clients = createCellClients(setting)
  const clock = createSystemClock()
  const cell = await openCell({ ...setting, clients, pacer: createPacer({ clock }), signal })
  const stacks = createStackBerths({ cell, clock, wantedImage: { read: async () => null } })
  const counts = { upgraded: 0, unchanged: 0 }
  const failed: { berthId: BerthId; error: string }[] = []
  let berths = 0
  const upgrade = async (berthId: BerthId): Promise<void> => {
    try {
      counts[await stacks.upgrade(berthId, { signal })] += 1
    } catch (error) {
      signal.throwIfAborted()
      failed.push({ berthId, error: isBerthError(error) ? error.message : String(error) })
    }
    onProgress(`${setting.name}: ${counts.upgraded} upgraded, ${counts.unchanged} unchanged, ${failed.length} failed`)
  }
  const queue = new PQueue({ concurrency: AT_ONCE })
  const working: Promise<void>[] = []
  for await (const { berthId } of stacks.list({ signal })) {
    berths += 1
    if (!apply) continue
    await queue.onSizeLessThan(AT_ONCE)
    working.push(queue.add(() => upgrade(berthId)))
  }
  await Promise.all(working)
  return { cell: setting.name, berths, ...counts, failed }
}
