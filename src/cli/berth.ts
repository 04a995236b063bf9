#!/usr/bin/env node
import { CommanderError } from 'commander'
import { exitCodeOf, exitCodes } from './exit-code.ts'
import { createProgram } from './program.ts'
import { reportError } from './report-error.ts'
import { createTerminal } from './terminal.ts'

const main = async (argv: readonly string[]): Promise<void> => {
  // A reader that has seen enough, as `head`, is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit()
  })
  try {
    await createProgram((code) => void (process.exitCode = code)).parseAsync(argv)
  } catch (error) {
    if (error instanceof CommanderError) {
      // commander has written what was wrong; help and the version are no fault.
      process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.callerFault
      return
    }
    process.exitCode = exitCodeOf(error)
    reportError(error, createTerminal({ json: argv.includes('--json') }))
  }
}

await main(process.argv)
