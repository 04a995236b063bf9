import { confirm, isCancel, text } from '@clack/prompts'
import { usageError } from './command.ts'

const assertScreen = (): void => {
  if (process.stdin.isTTY && process.stderr.isTTY) return
  throw usageError('there is nobody to ask: this is no terminal', 'Add --yes to go ahead without being asked.')
}

/** @throws {BerthError} invalid_request where nobody can be asked */
export const askYesNo = async (message: string): Promise<boolean> => {
  assertScreen()
  const answer = await confirm({ message, initialValue: false, output: process.stderr })
  return !isCancel(answer) && answer
}

/** True when the word was typed. @throws {BerthError} invalid_request where nobody can be asked */
export const askForWord = async (message: string, word: string): Promise<boolean> => {
  assertScreen()
  const answer = await text({ message, output: process.stderr })
  return !isCancel(answer) && answer === word
}
