import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

const recordSchema = z.object({
  deployment: z.string().regex(/^smoke-[a-z0-9]{8}$/),
  region: z.string(),
  profile: z.string().nullable(),
  startedAt: z.string(),
})
/** What was made where: enough to take it all away later. */
export type SmokeRecord = z.infer<typeof recordSchema>

const fileOf = (folder: string, { deployment }: SmokeRecord): string => join(folder, `${deployment}.json`)

/** Before anything is made. */
export const remember = async (folder: string, record: SmokeRecord): Promise<void> => {
  await mkdir(folder, { recursive: true })
  await writeFile(fileOf(folder, record), JSON.stringify(record), { mode: 0o600 })
}

/** After everything is gone. */
export const forget = (folder: string, record: SmokeRecord): Promise<void> => rm(fileOf(folder, record))

export const remembered = async (folder: string): Promise<readonly SmokeRecord[]> => {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const files = names.filter((name) => name.endsWith('.json'))
  return Promise.all(
    files.map(async (name) => recordSchema.parse(JSON.parse(await readFile(join(folder, name), 'utf8')))),
  )
}
