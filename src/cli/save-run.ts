import type { Berth } from '../client/berth.ts'
import type { Run } from '../domain/run.ts'
import { saveBelow } from './save-below.ts'
import { writeFault } from './write-fault.ts'

/** Saves every artifact, and results that are pictures or pages, below the folder; answers with the paths. */
export const saveRun = async (
  berth: Berth,
  run: Run,
  { folder, signal }: { readonly folder: string; readonly signal: AbortSignal },
): Promise<readonly string[]> => {
  const paths: string[] = []
  for (const { name, content } of run.artifacts) {
    const body = content === null ? (await berth.artifacts.download(run.id, name, { signal })).stream : bytesOf(content)
    paths.push(await saveBelow(folder, name, body).catch(writeFault(name)))
  }
  for (const [index, { png, svg, html, table }] of run.results.entries()) {
    const name = `result-${index + 1}`
    if (png !== undefined) paths.push(await saveBelow(folder, `${name}.png`, bytesOf(png)))
    if (svg !== undefined) paths.push(await saveBelow(folder, `${name}.svg`, Buffer.from(svg)))
    // The page of a table is only another view of it.
    if (html !== undefined && table === undefined)
      paths.push(await saveBelow(folder, `${name}.html`, Buffer.from(html)))
  }
  return paths
}

const bytesOf = (base64: string): Uint8Array => Buffer.from(base64, 'base64')
