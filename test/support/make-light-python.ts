import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { LIGHT_PYTHON, WHOLE_PYTHON } from './light-python.ts'

/** Once per checkout; whoever comes second in a race keeps what the first has made. */
export const setup = async (): Promise<void> => {
  if (existsSync(LIGHT_PYTHON.path) || !existsSync(WHOLE_PYTHON)) return
  await mkdir(dirname(LIGHT_PYTHON.folder), { recursive: true })
  const work = await mkdtemp(join(dirname(LIGHT_PYTHON.folder), 'python-'))
  await promisify(execFile)(WHOLE_PYTHON, ['-m', 'venv', '--without-pip', work])
  await rename(work, LIGHT_PYTHON.folder).catch(() => rm(work, { recursive: true }))
}
