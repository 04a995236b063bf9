import type { Fences, Fence } from '../domain/ports/fences.ts'
import type { WantedImage } from './wanted-image.ts'

/**
 * The fence of a cell. Once it was read, an outage of the parameter does not stop runs: the last fence that was seen holds on. Before
 * that no run is sent, for it might go to a runner behind a fence that nobody has seen.
 */
export const createWantedFence = (wantedImage: Pick<WantedImage, 'read'>): Fences => {
  let last: { readonly fence: Fence | null } | null = null
  return {
    of: async (_, options) => {
      try {
        const wanted = await wantedImage.read(options)
        last = { fence: wanted === null ? null : { minRunnerVersion: wanted.fence, image: wanted.image } }
      } catch (error) {
        options.signal.throwIfAborted()
        if (last === null) throw error
      }
      return last.fence
    },
  }
}
