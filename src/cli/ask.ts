import { confirm, isCancel, text } from '@clack/prompts'
import { interruption, usageError } from './command.ts'

const assertScreen = (): void => {
  if (process.stdin.isTTY && process.stderr.isTTY) return
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
