import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { once } from 'node:events'
import { join } from 'node:path'
import { bareEnvironment } from '../support/bare-environment.ts'
import { type HookPackage, PROJECT } from './hook-package.ts'

interface Call {
  readonly name: 'berthUserCreated' | 'berthUserDeleted'
  /** The event, or for functions of the 1st generation user and context. */
  readonly args: readonly unknown[]
}

interface Outcome {
  /** What the function threw: Google calls it again. Null when it is done with the event. */
  readonly thrown: string | null
}

interface Runtime {
  readonly env?: Readonly<Record<string, string>>
  /** @default index.js */
  readonly main?: 'index.js' | 'index-v1.js'
  /** How much faster the function's own time-outs run out. @default 1 */
  readonly haste?: number
}

const script = `
const { main, calls, haste } = JSON.parse(process.argv[1])
const { timeout } = AbortSignal
AbortSignal.timeout = (ms) => timeout.call(AbortSignal, ms / haste)
const functions = await import(main)
const outcomes = []
for (const { name, args } of calls)
  outcomes.push(await functions[name].run(...args).then(() => ({ thrown: null }), (error) => ({ thrown: String(error) })))
process.stdout.write('\\n' + JSON.stringify(outcomes))
`

/** Calls functions of the package one after another in a process of their own, as the runtime does: with the parameters of `.env`, unless these say otherwise. */
export const callHook = async (
  { functions, secret }: HookPackage,
  calls: readonly Call[],
  { env = {}, main = 'index.js', haste = 1 }: Runtime = {},
): Promise<{ readonly outcomes: readonly Outcome[]; readonly log: string }> => {
  const given = JSON.stringify({ main: join(functions, 'lib', main), calls, haste })
  const child = spawn(
    process.execPath,
    [`--env-file=.env.${PROJECT}`, '--input-type=module', '--eval', script, given],
    {
      cwd: functions,
      env: { ...bareEnvironment(), GCLOUD_PROJECT: PROJECT, BERTH_HOOK_SECRET: secret, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  const last = stdout.slice(stdout.lastIndexOf('\n') + 1)
  if (!last.startsWith('[')) throw new Error(`the function could not be called: ${stderr}${stdout}`)
  return { outcomes: JSON.parse(last) as readonly Outcome[], log: stdout + stderr }
}
