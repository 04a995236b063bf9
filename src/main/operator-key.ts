import { open, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { BerthError } from '../domain/errors.ts'
import type { Ids } from '../domain/ports/ids.ts'
import { formatKeySecret } from '../identity/key-secret.ts'
import type { ServiceKeys } from '../identity/service-keys.ts'
import type { Config } from './config.ts'
import { makeFolder } from './make-folder.ts'

export const operatorKeyFile = (dataDir: string): string => join(dataDir, 'operator.key')

/** Sees to it that there is an operator key: the configured one, or one that the first start writes for its own user. */
export const ensureOperatorKey = async (
  config: Pick<Config, 'operatorKey' | 'dataDir'>,
  { keys, ids }: { keys: Pick<ServiceKeys, 'adopt'>; ids: Ids },
): Promise<void> => {
  const secret = config.operatorKey ?? (await readOrWrite(operatorKeyFile(config.dataDir), ids))
  await keys.adopt({ name: 'first operator key', role: 'operator', project: null }, secret)
}

const readOrWrite = async (path: string, ids: Ids): Promise<string> => {
  const secret = formatKeySecret(ids.secret())
  await makeFolder(dirname(path), 0o700)
  try {
    // Refuses to follow or overwrite what is there, so two first starts end with one key.
    await using file = await open(path, 'wx', 0o600)
    await file.writeFile(`${secret}\n`)
    await file.sync()
    return secret
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw cannotUse(path, error)
  }
  const written = (await readFile(path, 'utf8')).trim()
  if (written === '') throw cannotUse(path, new Error('the file is empty; delete it and start again'))
  return written
}

const cannotUse = (path: string, cause: unknown): BerthError =>
  new BerthError('config_invalid', `The operator key file ${path} cannot be used: ${String(cause)}.`, { cause })
