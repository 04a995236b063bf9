import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { addCommand, type CommandSpec } from './command.ts'
import { destroyCommand } from './commands/destroy.ts'
import { doctorCommand } from './commands/doctor.ts'
import { fleetCommand } from './commands/fleet.ts'
import { filesCommands } from './commands/files.ts'
import { initFirebaseCommand } from './commands/init-firebase.ts'
import { initCommand } from './commands/init.ts'
import { keysCommands } from './commands/keys.ts'
import { reconcileCommand } from './commands/reconcile.ts'
import { rolloutCommands } from './commands/rollout.ts'
import { runCommand } from './commands/run.ts'
import { runsCommands } from './commands/runs.ts'
import { serveCommand } from './commands/serve.ts'
import { tenantsCommands } from './commands/tenants.ts'
import { upgradeCommand } from './commands/upgrade.ts'
import { exitCodeHelp } from './exit-code.ts'

const single: readonly CommandSpec[] = [serveCommand, runCommand]
const groups = [filesCommands, runsCommands, tenantsCommands, keysCommands, rolloutCommands]
const last: readonly CommandSpec[] = [fleetCommand, reconcileCommand, doctorCommand, upgradeCommand, destroyCommand]

/** The whole command line. `onExit` gets the exit code of the command that was run. */
export const createProgram = (onExit: (code: number) => void): Command => {
  const program = new Command('berth')
    .description("A place of their own for every user's untrusted code.")
    .version(versionOf())
    .showHelpAfterError('(add --help for the options and examples)')
    .exitOverride()
    // `init` and `init firebase` both have --region: what stands behind a name is that command's own.
    .enablePositionalOptions()
    .addHelpText('after', `\nStart here:\n${examples}\n\n${exitCodeHelp}`)
  for (const spec of single) addCommand(program, spec, onExit)
  for (const { name, description, commands } of groups) {
    const group = program.command(name).description(description)
    for (const spec of commands) addCommand(group, spec, onExit)
  }
  for (const spec of last) addCommand(program, spec, onExit)
  const init = addCommand(program, initCommand, onExit).enablePositionalOptions()
  addCommand(init, initFirebaseCommand, onExit)
  return program
}

const examples = `  $ berth doctor                             what this machine offers
  $ berth serve                              a server on http://127.0.0.1:8787
  $ echo 'print(6 * 7)' | berth run - --tenant alice`

const versionOf = (): string => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as {
    version: string
  }
  return version
}
