import { spawn } from 'node:child_process'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Tally, tallyOfJunit, tallyOfVitest } from './tally.ts'

export interface Step {
  readonly name: string
  readonly title: string
  /** Part of `npm run ok`. */
  readonly quick: boolean
  run(options: { quick: boolean }): Promise<Tally>
}

const root = resolve(import.meta.dirname, '../..')
const reports = resolve(root, '.cache/test')
const runner = 'runner-image'

const run = (command: string, args: readonly string[]): Promise<number> =>
  new Promise((done, fail) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('error', fail)
    child.on('close', (code) => done(code ?? 1))
  })

/** A command that passes or fails as one. */
const check = (name: string, title: string, command: readonly [string, ...string[]]): Step => ({
  name,
  title,
  quick: true,
  run: async () => {
    const [program, ...args] = command
    const code = await run(program, args)
    return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 }
  },
})

/** Runs a test runner that leaves a report; without a report the runner itself has failed. */
const withReport = async (
  file: string,
  command: (report: string) => readonly [string, ...string[]],
  tally: (report: string, exitCode: number) => Tally,
): Promise<Tally> => {
  const report = resolve(reports, file)
  await mkdir(reports, { recursive: true })
  await rm(report, { force: true })
  const [program, ...args] = command(report)
  const code = await run(program, args)
  const text = await readFile(report, 'utf8').catch(() => null)
  return text === null ? { passed: 0, failed: 1, skipped: 0 } : tally(text, code)
}

/** Folders whose tests start many processes or take long; `npm run ok` leaves them to `npm test`. */
const slow = [
  'test/durability/**',
  'test/cli/**',
  'test/backends/**',
  'test/quickstart/**',
  'test/aws-local/**',
  'test/rollout/**',
  'test/scripts/live-smoke*',
  'test/main/lambda-*',
  'test/main/lost-store*',
  'test/provisioner/*crash*',
]

const vitest: Step = {
  name: 'vitest',
  title: 'TypeScript tests',
  quick: true,
  run: ({ quick }) =>
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
      tallyOfVitest,
    ),
}

const pytest: Step = {
  name: 'pytest',
  title: 'runner tests',
  quick: false,
  run: () =>
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
      tallyOfJunit,
    ),
}

export const allSteps: readonly Step[] = [
  check('types', 'tsc', ['tsc', '-p', '.']),
  check('lint', 'oxlint with type-aware rules', ['oxlint']),
  check('format', 'oxfmt', ['oxfmt', '--check', 'src', 'test', 'scripts']),
  check('dead-code', 'knip', ['knip']),
  check('package', 'build and publint', ['sh', '-c', 'npm run --silent build && publint']),
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
