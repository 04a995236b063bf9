import { spawn } from 'node:child_process'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Tally, tallyOfJunit, tallyOfVitest } from './tally.ts'

interface RunOptions {
  readonly quick: boolean
  /** Takes what the step prints. */
  readonly write: (text: string) => void
}

export interface Step {
  readonly name: string
  readonly title: string
  /** Part of `npm run ok`. */
  readonly quick: boolean
  /** Steps of one lane run one after another, lanes beside each other. */
  readonly lane: 'checks' | 'vitest'
  run(options: RunOptions): Promise<Tally>
}

const root = resolve(import.meta.dirname, '../..')
const reports = resolve(root, '.cache/test')
const runner = 'runner-image'

// Through a pipe no program sees the terminal that the lines end up on.
const colors = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}

const run = ([program, ...args]: readonly [string, ...string[]], write: RunOptions['write']): Promise<number> =>
  new Promise((done, fail) => {
    const env = { ...process.env, ...colors }
    const child = spawn(program, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', write)
    child.on('error', fail)
    child.on('close', (code) => done(code ?? 1))
  })

/** A command that passes or fails as one. */
const check = (name: string, title: string, command: readonly [string, ...string[]]): Step => ({
  name,
  title,
  quick: true,
  lane: 'checks',
  run: async ({ write }) => {
    const code = await run(command, write)
    return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: [] }
  },
})

/** Runs a test runner that leaves a report; without a report the runner itself has failed. */
const withReport = async (
  file: string,
  command: (report: string) => readonly [string, ...string[]],
  { tally, write }: { tally: (report: string, exitCode: number) => Tally; write: RunOptions['write'] },
): Promise<Tally> => {
  const report = resolve(reports, file)
  await mkdir(reports, { recursive: true })
  await rm(report, { force: true })
  const code = await run(command(report), write)
  const text = await readFile(report, 'utf8').catch(() => null)
  return text === null ? { passed: 0, failed: 1, skipped: [] } : tally(text, code)
}

/** Folders whose tests start many processes or take long; `npm run ok` leaves them to `npm test`. */
const slow = [
  'test/durability/**',
  'test/cli/**',
  'test/backends/**',
  'test/quickstart/**',
  'test/aws-local/**',
  'test/firebase/**',
  'test/rollout/**',
  'test/scripts/live-smoke*',
  'test/scripts/image/workflow*',
  'test/main/lambda-*',
  'test/main/lost-store*',
  'test/provisioner/*crash*',
]

const vitest: Step = {
  name: 'vitest',
  title: 'TypeScript tests',
  quick: true,
  lane: 'vitest',
  run: ({ quick, write }) =>
    withReport(
      'vitest.json',
      (report) => [
        'vitest',
        'run',
        '--config=test/vitest.config.ts',
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${report}`,
        ...(quick ? slow.map((pattern) => `--exclude=${pattern}`) : []),
      ],
      { tally: tallyOfVitest, write },
    ),
}

const pytest: Step = {
  name: 'pytest',
  title: 'runner tests',
  quick: false,
  lane: 'checks',
  run: ({ write }) =>
    withReport(
      'pytest.xml',
      (report) => [
        '.venv/bin/python',
        '-m',
        'pytest',
        '-c',
        `${runner}/pyproject.toml`,
        '--rootdir=.',
        `--junitxml=${report}`,
        'test/runner-image',
      ],
      { tally: tallyOfJunit, write },
    ),
}

export const allSteps: readonly Step[] = [
  check('types', 'tsc', ['tsc', '-p', '.']),
  check('lint', 'oxlint with type-aware rules', ['oxlint']),
  check('format', 'oxfmt', ['oxfmt', '--check', 'src', 'test', 'scripts']),
  check('dead-code', 'knip', ['knip']),
  // Types were checked above, of the same files.
  check('package', 'build and publint', ['sh', '-c', 'npm run --silent build -- --noCheck && publint']),
  check('ruff', 'Python lint', [
    '.venv/bin/ruff',
    'check',
    '--config',
    `${runner}/pyproject.toml`,
    runner,
    'test/runner-image',
    'scripts/aws-local/overlay',
  ]),
  check('ruff-format', 'Python format', [
    '.venv/bin/ruff',
    'format',
    '--check',
    '--config',
    `${runner}/pyproject.toml`,
    runner,
    'test/runner-image',
    'scripts/aws-local/overlay',
  ]),
  check('mypy', 'Python types', [
    '.venv/bin/mypy',
    '--config-file',
    `${runner}/pyproject.toml`,
    `${runner}/berth_runner`,
  ]),
  vitest,
  pytest,
]
