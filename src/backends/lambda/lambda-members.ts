import type { Cell } from '../../aws/cell.ts'
import type { FleetMember } from '../../domain/ports/fleet.ts'
import { type Asking, listFunctions, type ListedFunction, readFunction } from './lambda-functions.ts'

/**
 * The berths with their images, by one request for 50 of them: a listing tells only the hash of a function's code, and GetFunction tells once
 * for each hash which image that is. So it takes no more of AWS for many berths of a few images, and keeps one string for each image.
 */
export async function* listMembers(cell: Cell, asking: Asking): AsyncGenerator<FleetMember> {
  const images = new Map<string, string>()
  for await (const page of listFunctions(cell, asking))
    for (const listed of page) {
      const image = images.get(listed.codeSha256) ?? (await lookUp(cell, { listed, images }, asking))
      if (image !== null) yield { berthId: listed.berthId, image, unsure: true }
    }
}

interface LookUp {
  readonly listed: ListedFunction
  readonly images: Map<string, string>
}

/** Null when it was deleted after it had been listed. */
const lookUp = async (cell: Cell, { listed, images }: LookUp, asking: Asking): Promise<string | null> => {
  const view = await readFunction(cell, listed.berthId, asking)
  if (view === null) return null
  // One that was changed in between says nothing of the hash that was listed.
  if (listed.codeSha256 !== '' && view.codeSha256 === listed.codeSha256) images.set(listed.codeSha256, view.image)
  return view.image
}
