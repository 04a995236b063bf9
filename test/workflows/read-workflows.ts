import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

export const root = join(import.meta.dirname, '../..')
export const folder = join(root, '.github/workflows')

interface WorkflowStep {
  readonly name?: string
  readonly uses?: string
  readonly run?: string
  readonly with?: Readonly<Record<string, unknown>>
}

export interface Job {
  readonly needs?: string
  readonly if?: string
  readonly environment?: string
  readonly permissions?: Readonly<Record<string, string>>
  readonly 'timeout-minutes'?: number
  readonly steps: readonly WorkflowStep[]
}

export interface Workflow {
  readonly name: string
  readonly permissions?: unknown
  readonly concurrency?: Readonly<Record<string, unknown>>
  readonly jobs: Readonly<Record<string, Job>>
}

export const workflows: readonly { readonly file: string; readonly text: string; readonly workflow: Workflow }[] =
  readdirSync(folder).map((file) => {
    const text = readFileSync(join(folder, file), 'utf8')
    return { file, text, workflow: parse(text) as Workflow }
  })

export const steps = workflows.flatMap(({ file, workflow }) =>
  Object.entries(workflow.jobs).flatMap(([job, { steps }]) => steps.map((step) => ({ file, job, step }))),
)

/** Commands of a shell script, a line each; what goes on over several lines is one, and `-- ` begins another. */
export const commandsOf = (script: string): readonly string[] =>
  script
    .replaceAll(/\\\n\s*/g, '')
    .split(/\n| -- /)
    .map((line) => line.trim())
    .filter((line) => line !== '')
