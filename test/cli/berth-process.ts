import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { bareEnvironment } from '../support/bare-environment.ts'

const entry = join(import.meta.dirname, '../../src/cli/berth.ts')

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface BerthOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly stdin?: string
}

/** The command line as a process of its own, as people and programs start it. */
export const spawnBerth = (args: readonly string[], { env = {}, cwd, stdin = '' }: BerthOptions = {}) => {
  const clean = { ...bareEnvironment(), ...env }
  const child = spawn(process.execPath, [entry, ...args], { env: clean, cwd, stdio: 'pipe' })
  // A command that does not read its input closes it; that is no failure of the test.
  child.stdin.on('error', () => undefined)
  child.stdin.end(stdin)
  return child
}

export const berth = async (args: readonly string[], options: BerthOptions = {}): Promise<Ended> => {
  const child = spawnBerth(args, options)
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: code as number | null, stdout, stderr }
}
