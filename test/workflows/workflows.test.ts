import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'
import { commandsOf, root, steps, workflows } from './read-workflows.ts'

const commands = steps.flatMap(({ file, step }) =>
  commandsOf(step.run ?? '').map((command) => ({ name: `${file}: ${command}`, words: command.split(/\s+/) })),
)
const flagsOf = (words: readonly string[]): readonly string[] => words.filter((word) => word.startsWith('--'))

const rolloutStart = createProgram(() => undefined)
  .commands.find((command) => command.name() === 'rollout')
  ?.commands.find((command) => command.name() === 'start')

/** Flags that a script's source reads, or `berth rollout start` for the entry of a workflow. */
const knownFlags = (script: string): readonly string[] => {
  if (script === 'scripts/rollout.ts') return (rolloutStart?.options ?? []).map(({ long }) => long ?? '')
  const source = readFileSync(join(root, script), 'utf8')
  return [
    ...source.matchAll(/^\s*(?:options: \{ )?'?([a-z-]+)'?: \{ type: '(?:string|boolean)'/gm),
    ...source.matchAll(/[{,] '?([a-z-]+)'?: \{ type: '(?:string|boolean)'/g),
  ].map(([, name]) => `--${name}`)
}

const programs = new Set(['node', 'sh', 'bash', 'npm', 'docker', 'sudo', 'mkdir'])

const faultsOf = ([program = '', script = '', ...rest]: readonly string[]): readonly string[] => {
  if (!programs.has(program)) return [`${program} is not on the runner`]
  if (program !== 'node' && program !== 'sh' && program !== 'bash') return []
  if (!existsSync(join(root, script))) return [`${script} does not exist`]
  if (program !== 'node') return spawnSync(program, ['-n', script], { cwd: root }).status === 0 ? [] : [script]
  const known = knownFlags(script)
  return flagsOf(rest).flatMap((flag) => (known.includes(flag) ? [] : [`${script} has no ${flag}`]))
}

test.each(commands)('what it calls is there, with its flags: $name', ({ words }) => {
  expect(faultsOf(words)).toEqual([])
})

test('the control: a script, a flag and a program that do not exist are found', () => {
  expect(faultsOf(['node', 'scripts/rollout.ts', '--region', 'r', '--imageversion', '3'])).toEqual([
    'scripts/rollout.ts has no --imageversion',
  ])
  expect(faultsOf(['node', 'scripts/image/push.ts', '--tag'])).toEqual(['scripts/image/push.ts has no --tag'])
  expect(faultsOf(['sh', 'scripts/none.sh'])).toEqual(['scripts/none.sh does not exist'])
  expect(faultsOf(['crane', 'digest'])).toEqual(['crane is not on the runner'])
})

test.each(steps.filter(({ step }) => step.uses !== undefined))(
  '$file pins $step.uses',
  ({ file, step: { uses = '' } }) => {
    const text = workflows.find((one) => one.file === file)?.text

    expect(uses).toMatch(/^actions\/[a-z-]+@[0-9a-f]{40}$/)
    expect(text).toContain(`${uses} # v`)
  },
)

test('no check-out leaves a token behind', () => {
  const checkouts = steps.filter(({ step }) => step.uses?.startsWith('actions/checkout@'))

  expect(checkouts.length).toBeGreaterThan(3)
  for (const { file, step } of checkouts) expect(step.with?.['persist-credentials'], file).toBe(false)
})

test('an action has one commit and one version in all workflows', () => {
  const pins = workflows.flatMap(({ text }) => [...text.matchAll(/uses: ([^@]+)@(\S+) # (\S+)/g)])
  const versions = Map.groupBy(pins, ([, action]) => action)

  for (const [action, ones] of versions)
    expect(new Set(ones.map(([, , commit, version]) => `${commit} ${version}`)), action).toHaveProperty('size', 1)
})

test('no workflow has a right by itself, and each job no more than it says', () => {
  for (const { file, workflow } of workflows) {
    expect(workflow.permissions, file).toEqual({})
    for (const [name, job] of Object.entries(workflow.jobs)) {
      const { contents, 'id-token': token = 'none', ...more } = job.permissions ?? {}
      expect([contents, more], `${file} ${name}`).toEqual(['read', {}])
      // Who may speak for this repository elsewhere waits for an environment's rules.
      expect(token === 'none' || job.environment !== undefined, `${file} ${name}`).toBe(true)
      expect(job['timeout-minutes'], `${file} ${name}`).toBeGreaterThan(0)
    }
  }
})

test('a rollout waits for the one before and is never canceled by the next; production comes after staging', () => {
  const { jobs = {}, concurrency } = workflows.find(({ file }) => file === 'runner-image.yml')?.workflow ?? {}

  expect(concurrency).toEqual({ group: 'runner-image-${{ github.ref }}', 'cancel-in-progress': false })
  expect([jobs['staging']?.needs, jobs['production']?.needs]).toEqual(['build', 'staging'])
  expect([jobs['staging']?.environment, jobs['production']?.environment]).toEqual(['staging', 'production'])
  // The role's session is 240 minutes long.
  expect(jobs['production']?.['timeout-minutes']).toBeLessThan(240)
})

test('the image is built once, for one platform and without attestations', () => {
  const builds = commands.filter(({ words }) => words[0] === 'docker' && words[1] === 'build')

  expect(builds).toHaveLength(1)
  expect(flagsOf(builds[0]?.words ?? [])).toEqual(expect.arrayContaining(['--provenance=false', '--sbom=false']))
})

test('a build of another branch rolls nothing out', () => {
  const { jobs = {} } = workflows.find(({ file }) => file === 'runner-image.yml')?.workflow ?? {}
  const takers = Object.values(jobs).filter(({ environment }) => environment !== undefined)

  expect(takers).toHaveLength(2)
  for (const job of takers) expect(job.if).toContain("github.ref == 'refs/heads/main'")
})
