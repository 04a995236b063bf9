import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../../..')

/** Whether this user may run code without a sandbox here: root may not while Python lies in a folder of root's own. */
export const guardWorks = (): boolean => {
  const { stdout } = spawnSync(join(root, '.venv/bin/python'), ['-m', 'berth_runner.levels', '--json'], {
    cwd: join(root, 'runner-image'),
    encoding: 'utf8',
  })
  const levels = JSON.parse(stdout) as { level: string; ok: boolean }[]
  return levels.some(({ level, ok }) => level === 'guard' && ok)
}
