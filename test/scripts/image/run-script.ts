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
  /** Interrupts it once it has written this. */
  readonly interruptAt?: string
}

/** A script of a workflow as a process of its own, as the workflow starts it. */
export const runScript = async (name: string, args: readonly string[], options: ScriptOptions = {}): Promise<Ended> => {
  const { env = {}, cwd, interruptAt } = options
  const child = spawn(process.execPath, [join(scripts, name), ...args], {
    env: { ...bareEnvironment(), ...env },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const before = stdout
    stdout += text
    if (interruptAt !== undefined && !before.includes(interruptAt) && stdout.includes(interruptAt)) child.kill('SIGINT')
  })
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')])
  return { code: code as number | null, stdout, stderr }
}
