import { type CommandContext, type CommandSpec, type Flags, textFlag } from '../command.ts'

export const serveCommand: CommandSpec = {
  usage: 'serve',
  description: 'Start a server on this machine. Everything is set by environment variables: see docs/configuration.md.',
  caller: 'nobody',
  options: [
    ['--host <address>', 'address to listen on (BERTH_HOST)'],
    ['--port <number>', 'port to listen on, 0 for any free one (BERTH_PORT)'],
    ['--data-dir <folder>', 'store, files and operator.key (BERTH_DATA_DIR)'],
  ],
  examples: ['serve', 'serve --port 9000 --data-dir /var/lib/berth', 'serve | jq .'],
  act: async ({ flags, terminal }) => {
    // Imported here: a server has many modules, and the other commands should start without them.
    const [{ parseConfig }, { operatorKeyFile }, { serve }] = await Promise.all([
      import('../../main/config.ts'),
      import('../../main/operator-key.ts'),
      import('../../main/serve.ts'),
    ])
    const config = parseConfig({ ...process.env, ...overrides(flags) })
    const operatorKey = config.operatorKey === null ? operatorKeyFile(config.dataDir) : null
    await serve(config, { onListening: ({ url }) => tell({ url, dataDir: config.dataDir, operatorKey }, terminal) })
  },
}

const overrides = (flags: Flags): Readonly<Record<string, string | undefined>> => ({
  ...withValue('BERTH_HOST', textFlag(flags, 'host')),
  ...withValue('BERTH_PORT', textFlag(flags, 'port')),
  ...withValue('BERTH_DATA_DIR', textFlag(flags, 'dataDir')),
})

const withValue = (name: string, value: string | undefined) => (value === undefined ? {} : { [name]: value })

interface Listening {
  readonly url: string
  readonly dataDir: string
  /** null when the key was given by the environment. */
  readonly operatorKey: string | null
}

/** stdout belongs to the log, one JSON object per line; so the line for people goes to stderr. */
const tell = (listening: Listening, { json, note }: CommandContext['terminal']): void => {
  if (json) return void process.stdout.write(`${JSON.stringify({ code: 'serve.ready', ...listening })}\n`)
  const { url, dataDir, operatorKey } = listening
  note(
    `berth listens on ${url} (docs: ${url}/docs), data in ${dataDir}, operator key in ${operatorKey ?? 'BERTH_OPERATOR_KEY'}; stop it with Ctrl-C`,
  )
}
