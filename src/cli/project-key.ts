import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createBerth } from '../client/berth.ts'
import { isBerthError } from '../domain/errors.ts'
import { makeFolder } from '../main/make-folder.ts'

export interface ProjectKeyOptions {
  readonly baseUrl: string
  /** Operator key. */
  readonly key: string
  readonly project: string
  /** The data directory. */
  readonly folder: string
  readonly signal: AbortSignal
}

/**
 * A service key of the project for this machine's operator. It is made once, named `berth cli`, and kept beside
 * operator.key, readable by its owner only.
 */
export const projectKey = async (options: ProjectKeyOptions): Promise<string> => {
  const path = pathOf(options)
  const kept = await readFile(path, 'utf8').catch(() => null)
  if (kept !== null && (await isValid(kept.trim(), options))) return kept.trim()
  const { secret } = await createBerth(options).keys.create(
    { name: 'berth cli', role: 'service', project: options.project },
    { signal: options.signal },
  )
  await makeFolder(join(options.folder, 'cli-keys'), 0o700)
  await writeFile(path, `${secret}\n`, { mode: 0o600 })
  return secret
}

/** One per server and project; neither may appear raw in a path. */
const pathOf = ({ baseUrl, key, project, folder }: ProjectKeyOptions): string => {
  const name = createHash('sha256')
    .update(JSON.stringify([baseUrl, key, project]))
    .digest('hex')
    .slice(0, 24)
  return join(folder, 'cli-keys', `${name}.key`)
}

const isValid = async (key: string, { baseUrl, signal }: ProjectKeyOptions): Promise<boolean> => {
  try {
    return (await createBerth({ baseUrl, key }).me({ signal })).caller === 'service'
  } catch (error) {
    if (isBerthError(error) && error.code === 'unauthenticated') return false
    throw error
  }
}
