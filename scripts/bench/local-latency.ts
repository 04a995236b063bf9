import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BerthSubject } from './berth-subject.ts'
import { runCommand } from './command.ts'
import { type CompareOptions, type Variant, compareInTurn } from './compare.ts'
import { type Figures, ratio, timesOf } from './figures.ts'
import {
  type Program,
  chartProgram,
  pandasProgram,
  plainChart,
  pythonOneLiner,
  typescriptOneLiner,
} from './programs.ts'

const python = join(import.meta.dirname, '../../.venv/bin/python')
const bubblewrap = '/usr/bin/bwrap'

const plainly = (name: string, command: readonly string[], where: { cwd: string; prints: string }): Variant => ({
  name,
  once: async () => {
    const output = await runCommand(command, where.cwd)
    if (!output.includes(where.prints)) throw new Error(`${name} printed ${JSON.stringify(output.slice(0, 200))}`)
  },
})

const plainPython = (subject: BerthSubject, program: Program): Variant =>
  plainly('plain_python', [python, '-c', program.code], { cwd: subject.plainDir, prints: program.prints })

/** The usual recipe: everything unshared, the system read-only, a fresh interpreter. */
const inBubblewrap = (subject: BerthSubject, program: Program): Variant => {
  const sandbox = [bubblewrap, '--unshare-all', '--die-with-parent', '--new-session']
  const tree = ['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc']
  return plainly('bubblewrap', [...sandbox, ...tree, python, '-c', program.code], {
    cwd: subject.plainDir,
    prints: program.prints,
  })
}

const inBerth = async (subject: BerthSubject, program: Program): Promise<Variant> => {
  const berthId = await subject.makeBerth()
  if (program.files.length > 0) await subject.putCsv(berthId)
  return {
    name: 'berth',
    once: async () => {
      await subject.run(berthId, program)
    },
  }
}

interface Comparison {
  readonly name: string
  readonly program: Program
  readonly others: readonly Variant[]
  readonly options: CompareOptions
}

const compare = async (subject: BerthSubject, { name, program, others, options }: Comparison): Promise<Figures> => {
  const all = await compareInTurn([await inBerth(subject, program), ...others], options)
  const values: Record<string, number> = {}
  for (const [variant, summary] of Object.entries(all)) {
    if (all['berth'] === undefined) continue
    if (variant !== 'berth') values[`${name}.vs_${variant}`] = ratio(all['berth'].p50, summary.p50)
    Object.assign(values, timesOf(variant === 'berth' ? name : `${name}.${variant}`, summary))
  }
  return { values, omitted: {} }
}

const oneLiner = async (subject: BerthSubject): Promise<Figures> => {
  const hasBubblewrap = existsSync(bubblewrap)
  const others = [plainPython(subject, pythonOneLiner)]
  if (hasBubblewrap) others.push(inBubblewrap(subject, pythonOneLiner))
  const options = { rounds: 150, budgetMs: 7_000 }
  const figures = await compare(subject, { name: 'local.python.one_liner', program: pythonOneLiner, others, options })
  if (hasBubblewrap) return figures
  return { ...figures, omitted: { 'local.python.one_liner.vs_bubblewrap': `${bubblewrap} is not installed` } }
}

const typescript = async (subject: BerthSubject): Promise<Figures> => {
  const file = join(subject.plainDir, 'program.ts')
  await writeFile(file, typescriptOneLiner.code)
  const command = [process.execPath, '--disable-warning=ExperimentalWarning', file]
  return compare(subject, {
    name: 'local.typescript.one_liner',
    program: typescriptOneLiner,
    others: [plainly('plain_node', command, { cwd: subject.plainDir, prints: typescriptOneLiner.prints })],
    options: { rounds: 60, budgetMs: 6_000 },
  })
}

/** Start to result of one program at a time: in a berth, plainly, and in a sandbox with a fresh interpreter. */
export const measureLatency = async (subject: BerthSubject): Promise<readonly Figures[]> => [
  await oneLiner(subject),
  await compare(subject, {
    name: 'local.python.pandas',
    program: pandasProgram,
    others: [plainPython(subject, pandasProgram)],
    options: { rounds: 20, budgetMs: 7_000 },
  }),
  await compare(subject, {
    name: 'local.python.chart',
    program: chartProgram,
    others: [plainPython(subject, plainChart)],
    options: { rounds: 12, budgetMs: 7_000 },
  }),
  await typescript(subject),
]
