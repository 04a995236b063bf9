import { appendFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '../..')

/** What a person must mend; shown without a stack. */
export class Fault extends Error {}

/** Runs a command of a workflow: exit code 1 and one line when something must be mended. */
export const runCommand = async (name: string, work: () => Promise<void>): Promise<void> => {
  try {
    await work()
  } catch (error) {
    console.error(`${name}: ${error instanceof Fault ? error.message : describe(error)}`)
    process.exitCode = 1
  }
}

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))

/** @throws {Fault} when the text is no version */
export const parseVersion = (text: string, from: string): number => {
  if (/^[1-9]\d{0,8}$/.test(text.trim())) return Number(text)
  throw new Fault(`${from}: expected a whole number from 1, got ${JSON.stringify(text.trim())}`)
}

export const presentVersion = (): number =>
  parseVersion(readFileSync(join(root, 'runner-image/VERSION'), 'utf8'), 'runner-image/VERSION')

/** @throws {Fault} when the flag is missing */
export const needed = (value: string | undefined, flag: string): string => {
  if (value !== undefined && value !== '') return value
  throw new Fault(`expected ${flag}`)
}

/** Hands values to later steps of a job; nothing outside of one. */
export const setOutputs = async (values: Readonly<Record<string, string>>): Promise<void> => {
  const file = process.env['GITHUB_OUTPUT']
  const lines = Object.entries(values).map(([name, value]) => `${name}=${value}\n`)
  if (file !== undefined && file !== '') await appendFile(file, lines.join(''))
}

/** Shows lines below the job; nothing outside of one. */
export const addSummary = async (lines: readonly string[]): Promise<void> => {
  const file = process.env['GITHUB_STEP_SUMMARY']
  if (file !== undefined && file !== '') await appendFile(file, `${lines.join('\n')}\n\n`)
}
