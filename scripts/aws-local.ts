/**
 * AWS on this machine, as one command. Runs until it is interrupted.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { furnish } from './aws-local/furnish.ts'
import { ROOT } from './aws-local/paths.ts'
import { startStandIn } from './aws-local/stand-in.ts'
import { TRUTHFUL } from './aws-local/truthful.ts'

const usage = `usage: npm run aws:local [-- --port <number> --deployment <name> --quick]
  --port         of the address that everything speaks to (4566)
  --deployment   first part of every name (berth)
  --quick        no delays and no limits: stacks are complete and functions awake at once`

const readArgs = () => {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: 'string', default: '4566' },
        deployment: { type: 'string', default: 'berth' },
        quick: { type: 'boolean', default: false },
      },
    })
    const port = Number(values.port)
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
      throw new Error(`--port: expected a number from 0 to 65535, got "${values.port}"`)
    }
    return { ...values, port }
  } catch (error) {
    console.error(`aws-local: ${error instanceof Error ? error.message : String(error)}\n${usage}`)
    return process.exit(2)
  }
}

const say = (text: string): void => console.error(`aws-local: ${text}`)

const explain = (error: unknown, port: number): string => {
  const text = error instanceof Error ? error.message : String(error)
  const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
  return isTaken ? `port ${port} is taken; take another: npm run aws:local -- --port 4567` : text
}

const interrupted = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve())
  })

const args = readArgs()
const end = interrupted()
try {
  say('starting the emulator with our overlay, and the front')
  await using standIn = await startStandIn({ port: args.port })
  const template = join(ROOT, 'templates', 'foundation.yaml')
  const { deployment } = args
  const parts = { standIn, deployment, say, template: existsSync(template) ? readFileSync(template, 'utf8') : null }
  const cell = await furnish(parts)
  if (!args.quick) await standIn.control.set(TRUTHFUL)
  console.log(`
AWS is at ${standIn.endpoint}. Export this where Berth or the AWS CLI runs:

export AWS_ENDPOINT_URL=${standIn.endpoint}
export AWS_ACCESS_KEY_ID=${standIn.credentials.accessKeyId}
export AWS_SECRET_ACCESS_KEY=${standIn.credentials.secretAccessKey}
export AWS_REGION=${standIn.region}
export BERTH_BACKEND=lambda
export BERTH_CELLS='${JSON.stringify([cell])}'

What to try next
  npx berth serve                          in a second terminal with these variables: sign-ups make stacks here
  npx berth doctor                         what the cell allows
  docs/aws-local.md                        what is the emulator's, what is ours, what is not covered
Ctrl-C ends everything and forgets everything.
`)
  await end
  say('ending')
} catch (error) {
  say(explain(error, args.port))
  process.exitCode = 69
}
if (process.exitCode === undefined) say('ended; nothing is left behind')
