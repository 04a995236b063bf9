import type { Berth } from '../../client/berth.ts'
import type { Run, RunRequestInput } from '../../domain/run.ts'
import { type CommandContext, type CommandSpec, textFlag } from '../command.ts'
import { exitCodeOfRun } from '../exit-code.ts'
import { fileBody } from '../file-body.ts'
import { readRunInput, type RunInput } from '../run-input.ts'
import { saveRun } from '../save-run.ts'
import { endingLines, runLines, summaryOf } from '../show-run.ts'
import { visibleOutput } from '../visible.ts'
import { outFolder } from '../write-fault.ts'

export const runCommand: CommandSpec = {
  usage: 'run <file>',
  description:
    'Run a file, or - for standard input, in the berth of a tenant. Exits with 1 when the run does not succeed.',
  caller: 'tenant',
  options: [
    ['--language <name>', 'python or typescript; the suffix of the file tells it otherwise (- is python)'],
    ['--var <name=value...>', 'a variable; the value is JSON when it reads as JSON, else text. Several times'],
    ['--variables <file>', 'variables as one JSON object in a file; --var wins over it'],
    ['--file <path|name...>', 'a file the code reads: a path of this machine is uploaded first. Several times'],
    ['--timeout-ms <ms>', 'milliseconds the code may run'],
    ['--memory-mib <MiB>', 'memory the code may use'],
    ['--profile <name>', 'default, or evaluator: JSON in, JSON out, at most 2 s and 128 MiB, no files'],
    ['--result-schema <file>', 'a JSON Schema that the result must fit'],
    ['--out <folder>', 'save artifacts, charts and pages into this folder'],
    ['--async', 'do not wait: print the id of the queued run'],
    ['--idempotency-key <key>', 'the same key makes the same run arrive once'],
  ],
  examples: [
    'run analysis.py --tenant alice --file sales.csv --out charts',
    "echo 'sum(range(10))' | berth run - --tenant alice",
    'run check.ts --tenant alice --var limit=5 --timeout-ms 2000 --json',
  ],
  act: async (context) => {
    const input = await readRunInput(context.args[0] ?? '-', context.flags)
    const folder = await outFolder(context.flags)
    const berth = await context.connect()
    await upload(berth, input.uploads, context)
    const run = await execute(berth, input.request, context)
    if (context.flags['async'] === true) return queued(run, context)
    const saved = folder === undefined ? [] : await saveRun(berth, run, { folder, signal: context.signal })
    show(run, saved, context)
    return exitCodeOfRun(run)
  },
}

const upload = async (
  berth: Berth,
  uploads: RunInput['uploads'],
  { terminal, signal }: CommandContext,
): Promise<void> => {
  for (const { path, name } of uploads) {
    const progress = terminal.progress(`uploading ${name}`)
    try {
      await berth.files.upload(name, await fileBody(path), { signal })
    } finally {
      progress.stop()
    }
  }
}

const execute = async (
  berth: Berth,
  request: RunRequestInput,
  { flags, terminal, signal }: CommandContext,
): Promise<Run> => {
  const idempotencyKey = textFlag(flags, 'idempotencyKey')
  if (flags['async'] === true) return berth.runs.create(request, { respondAsync: true, idempotencyKey, signal })
  const { code, ...options } = request
  if (terminal.json) return berth.run(code, { ...options, idempotencyKey, signal })
  const progress = terminal.isScreen ? terminal.progress('running') : null
  const live = createLiveOutput(() => progress?.stop())
  try {
    const run = await berth.run(code, { ...options, idempotencyKey, signal, ...live.listeners })
    // What follows begins on a line of its own.
    if (!live.endsLine() && run.results.length + run.artifacts.length > 0) process.stdout.write('\n')
    return run
  } finally {
    progress?.stop()
  }
}

const createLiveOutput = (onFirst: () => void) => {
  let last = '\n'
  const write = (stream: NodeJS.WriteStream, text: string): void => {
    onFirst()
    stream.write(stream.isTTY ? visibleOutput(text) : text)
  }
  return {
    endsLine: () => last.endsWith('\n'),
    listeners: {
      onStdout: (text: string) => {
        last = text
        write(process.stdout, text)
      },
      onStderr: (text: string) => write(process.stderr, text),
    },
  }
}

const queued = (run: Run, { terminal }: CommandContext): number => {
  terminal.answer(run, () => [run.id])
  return 0
}

const show = (run: Run, saved: readonly string[], { terminal }: CommandContext): void => {
  terminal.answer(saved.length === 0 ? run : { ...run, saved }, () => runLines(run, terminal))
  if (terminal.json) return
  for (const line of [...endingLines(run), ...saved.map((path) => `saved ${path}`)]) terminal.note(line)
  if (terminal.isScreen) terminal.note(summaryOf(run))
}
