import { confirm, isCancel, text } from '@clack/prompts'
import { interruption, usageError } from './command.ts'

const assertScreen = (remedy = 'Add --yes to go ahead without being asked.'): void => {
  if (process.stdin.isTTY && process.stderr.isTTY) return
  throw usageError('there is nobody to ask: this is no terminal', remedy)
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

/** @throws {BerthError} as askYesNo, with this remedy */
export const askForText = async (message: string, remedy: string, signal: AbortSignal): Promise<string> => {
  assertScreen(remedy)
  const answer = await text({ message, output: process.stderr, signal })
  if (isCancel(answer)) throw interruption()
  return answer
}
