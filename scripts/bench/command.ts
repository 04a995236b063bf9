import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

/** Runs a program to its end and returns what it printed. @throws when it fails */
export const runCommand = async (command: readonly string[], cwd: string): Promise<string> => {
  const [program = '', ...args] = command
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const [output, code] = await Promise.all([text(child.stdout), ended])
  if (code !== 0) throw new Error(`${program} ended with code ${code}`)
  return output
}
