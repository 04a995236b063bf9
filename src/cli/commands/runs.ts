import type { Run, RunStatus } from '../../domain/run.ts'
import { type CommandContext, type CommandSpec, numberFlag, textFlag } from '../command.ts'
import { exitCodeOfRun } from '../exit-code.ts'
import { saveRun } from '../save-run.ts'
import { endingLines, runLines, summaryOf } from '../show-run.ts'
import { visibleOutput } from '../visible.ts'
import { outFolder } from '../write-fault.ts'

const DEFAULT_LIMIT = 20

const ls: CommandSpec = {
  usage: 'ls',
  description: 'List the runs of a tenant, newest first.',
  caller: 'tenant',
  options: [
    ['--status <status>', 'only runs of this status, for example failed'],
    ['--limit <count>', `at most this many (default ${DEFAULT_LIMIT})`],
  ],
  examples: ['runs ls --tenant alice', 'runs ls --tenant alice --status failed --limit 100 --json'],
  act: async ({ flags, connect, terminal, signal }) => {
    const limit = numberFlag(flags, 'limit', '--limit') ?? DEFAULT_LIMIT
    const status = textFlag(flags, 'status') as RunStatus | undefined
    const all = (await connect()).runs.list({ status, pageSize: Math.min(limit, 100), signal })
    const runs: Run[] = []
    for await (const run of all) {
      runs.push(run)
      if (runs.length === limit) break
    }
    terminal.answer({ data: runs }, () =>
      terminal.table(
        [
          { title: 'ID' },
          { title: 'STATUS' },
          { title: 'LANGUAGE' },
          { title: 'MS', align: 'right' },
          { title: 'CREATED' },
        ],
        runs.map(({ id, status, language, timings, createdAt }) => [
          id,
          status,
          language,
          String(Math.round(timings.totalMs)),
          createdAt,
        ]),
      ),
    )
  },
}

const show: CommandSpec = {
  usage: 'show <id>',
  description: 'Show one run: how it ended, results, artifacts.',
  caller: 'tenant',
  options: [['--out <folder>', 'save artifacts, charts and pages into this folder']],
  examples: ['runs show <id> --tenant alice', 'runs show <id> --tenant alice --out charts'],
  act: async ({ args: [id = ''], flags, connect, terminal, signal }) => {
    const folder = await outFolder(flags)
    const berth = await connect()
    const run = await berth.runs.get(id, { signal })
    const saved = folder === undefined ? [] : await saveRun(berth, run, { folder, signal })
    terminal.answer(saved.length === 0 ? run : { ...run, saved }, () => [
      terminal.paint('bold', summaryOf(run)),
      ...runLines(run, terminal),
      ...endingLines(run),
      ...saved.map((path) => `saved ${path}`),
    ])
  },
}

const logs: CommandSpec = {
  usage: 'logs <id>',
  description: "Print a run's output; a run under way is followed to its end. Exits like the run.",
  caller: 'tenant',
  examples: ['runs logs <id> --tenant alice'],
  act: async ({ args: [id = ''], connect, terminal, signal }) => {
    const berth = await connect()
    for await (const event of berth.runs.events(id, { signal })) {
      if (!terminal.json && event.type === 'stdout') write(process.stdout, event.data.text)
      if (!terminal.json && event.type === 'stderr') write(process.stderr, event.data.text)
      if (event.type !== 'run.completed') continue
      terminal.answer({ id, status: event.data.status, logs: event.data.logs }, () => [])
      return exitCodeOfRun(event.data)
    }
    return 0
  },
}

const write = (stream: NodeJS.WriteStream, text: string): void =>
  void stream.write(stream.isTTY ? visibleOutput(text) : text)

const cancel: CommandSpec = {
  usage: 'cancel <id>',
  description: 'Cancel a run that waits or is under way.',
  caller: 'tenant',
  examples: ['runs cancel <id> --tenant alice'],
  act: async ({ args: [id = ''], connect, terminal, signal }: CommandContext) => {
    const run = await (await connect()).runs.cancel(id, { signal })
    terminal.answer(run, () => [`run ${run.id} is ${run.status}`])
  },
}

export const runsCommands = { name: 'runs', description: "A tenant's runs.", commands: [ls, show, logs, cancel] }
