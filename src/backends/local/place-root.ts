import type { FilePlace } from '../../domain/ports/tenant-files.ts'
import type { Layout } from './layout.ts'

/** The berth's own folder, which Berth made itself, and the folders from there to the place, which are opened one by one. */
export const rootOf = (layout: Layout, place: FilePlace): { root: string; parts: readonly string[] } => {
  if (place.area === 'files') return { root: layout.berth(place.berthId), parts: ['files'] }
  // For its check of the run id.
  layout.run(place.berthId, place.runId)
  return { root: layout.berth(place.berthId), parts: ['runs', place.runId] }
}
