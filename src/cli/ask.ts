import { confirm, isCancel, text } from '@clack/prompts'
import { interruption, usageError } from './command.ts'

const isScreen = (): boolean => process.stdin.isTTY && process.stderr.isTTY

const assertScreen = (): void => {
  if (isScreen()) return
  throw usageError('there is nobody to ask: this is no terminal', 'Add --yes to go ahead without being asked.')
}

/** @throws {BerthError} invalid_request where nobody can be asked; an AbortError when Ctrl-C is the answer */
export const askYesNo = async (message: string, signal: AbortSignal): Promise<boolean> => {
  assertScreen()
  const answer = await confirm({ message, initialValue: false, output: process.stderr, signal })
  if (isCancel(answer)) throw interruption()
  return answer
}

/** True when the word was typed. @throws {BerthError} as askYesNo */
export const askForWord = async (message: string, word: string, signal: AbortSignal): Promise<boolean> => {
  assertScreen()
  const answer = await text({ message, output: process.stderr, signal })
  if (isCancel(answer)) throw interruption()
  return answer === word
}

/** What a flag would have told. @throws {BerthError} as askYesNo */
export const askForText = async (message: string, flag: string, signal: AbortSignal): Promise<string> => {
  if (!isScreen())
    throw usageError(`${flag}: expected a value, got none, and this is no terminal to ask at`, `Give it as ${flag}.`)
  const answer = await text({ message, output: process.stderr, signal })
  if (isCancel(answer)) throw interruption()
  return answer
}
