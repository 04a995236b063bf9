import { readFileSync } from 'node:fs'
import { openCell } from '../../aws/open-cell.ts'
import { createWantedImage } from '../../aws/wanted-image.ts'
import type { Wanted } from '../../domain/wanted-image.ts'
import type { Deployment } from './deployment.ts'

/** The version of the runner in this package: an image that was built from it has the same. */
export const packagedRunnerVersion = (): number =>
  Number(readFileSync(new URL('../../../runner-image/VERSION', import.meta.url), 'utf8').trim())

/** The image that new berths get; those that exist keep theirs until a rollout. @throws {BerthError} config_invalid */
export const setWantedImage = async (
  deployment: Deployment,
  { image, version }: { readonly image: string; readonly version: number },
  signal: AbortSignal,
): Promise<{ readonly before: Wanted | null; readonly wanted: Wanted }> => {
  const cell = await openCell({ ...deployment.cell, signal })
  const wantedImage = createWantedImage(cell, deployment.clock)
  const before = await wantedImage.read({ signal })
  const change = (present: Wanted | null): Wanted => ({ fence: 0, ...present, image, version, candidate: undefined })
  const wanted = await wantedImage.change(change, { signal })
  return { before, wanted }
}
