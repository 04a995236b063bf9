import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Ended } from '../../cli/berth-process.ts'
import { bareEnvironment } from '../../support/bare-environment.ts'

const scripts = join(import.meta.dirname, '../../../scripts')

interface ScriptOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** A script of a workflow as a process of its own, as the workflow starts it. */
export const runScript = async (
  name: string,
  args: readonly string[],
  { env = {}, cwd }: ScriptOptions = {},
): Promise<Ended> => {
  const child = spawn(process.execPath, [join(scripts, name), ...args], {
    env: { ...bareEnvironment(), ...env },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: code as number | null, stdout, stderr }
}
