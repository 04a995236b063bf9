import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Berth, createBerth } from '../../src/client/berth.ts'
import type { Run } from '../../src/domain/run.ts'
import { isBerthError } from '../../src/domain/errors.ts'
import { signHook } from '../signed-hook.ts'
import type { Narrator } from './narrate.ts'

export interface Stage {
  readonly url: string
  readonly hookSecret: string
  readonly operatorKey: string
  /** Where the operator's key lies; the attacker goes for it. */
  readonly operatorKeyPath: string
  /** The chart is saved here. */
  readonly outDir: string
}

export interface StoryResult {
  readonly ok: boolean
  readonly chart: string
  readonly rows: number
  readonly signUpToResultMs: number
}

const here = import.meta.dirname
const read = (name: string): Promise<string> => readFile(join(here, name), 'utf8')
const project = 'quickstart'

class Broken extends Error {}

const expectThat: (condition: boolean, promise: string) => asserts condition = (condition, promise) => {
  if (!condition) throw new Broken(promise)
}

/** The main job on real data. Throws when anything is not as promised. */
export const tellStory = async (stage: Stage, tell: Narrator): Promise<StoryResult> => {
  const key = await makeServiceKey(stage)
  const as = (tenant: string): Berth => createBerth({ baseUrl: stage.url, key, tenant })

  const startedAt = performance.now()
  const alice = as(await signUp(stage, tell, 'alice'))
  await upload(alice, tell)
  const { chart, rows } = await analyse(alice, stage, tell)
  const signUpToResultMs = Math.round(performance.now() - startedAt)

  const bob = as(await signUp(stage, tell, 'bob'))
  await snoop(bob, tell)
  await attack(bob, stage, tell)
  await check(bob, tell)
  return { ok: true, chart, rows, signUpToResultMs }
}

const makeServiceKey = async ({ url, operatorKey }: Stage): Promise<string> => {
  const operator = createBerth({ baseUrl: url, key: operatorKey })
  const { secret } = await operator.keys.create({ name: 'quickstart', role: 'service', project })
  return secret
}

/** What an identity provider does when a user signs up: one signed call, and nobody clicks anything. */
const signUp = async ({ url, hookSecret }: Stage, tell: Narrator, name: string): Promise<string> => {
  const uid = `${name}-${randomBytes(4).toString('hex')}`
  tell.step(`${name === 'alice' ? 'Alice' : 'Bob'} signs up: the identity provider calls the signed hook`)
  const event = signHook({ secret: hookSecret, payload: { type: 'user.created', data: { project, uid } } })
  const startedAt = performance.now()
  const response = await fetch(`${url}/v1/hooks/identity`, { method: 'POST', ...event })
  const answer = await response.text()
  expectThat(response.status === 202, `the hook answers 202, got ${response.status}: ${answer}`)
  const ms = Math.round(performance.now() - startedAt)
  tell.done(`a berth of their own, durable, after ${ms} ms`, { uid, ms })
  return uid
}

const upload = async (alice: Berth, tell: Narrator): Promise<void> => {
  tell.step('Alice uploads penguins.csv (344 Antarctic penguins, CC0)')
  const stored = await alice.files.upload('penguins.csv', await read('penguins.csv'))
  tell.done(`${stored.bytes.toLocaleString('en')} bytes in her own folder`, { bytes: stored.bytes })
}

const analyse = async (alice: Berth, { outDir }: Stage, tell: Narrator): Promise<{ chart: string; rows: number }> => {
  tell.step('An agent runs pandas code over it, in a fresh sandbox of her own (scripts/quickstart/penguins.py)')
  const run = await alice.run(await read('penguins.py'), { files: ['penguins.csv'] })
  expectThat(run.status === 'succeeded', `the analysis succeeds, got ${describe(run)}`)
  const table = run.results.find(({ isMain }) => isMain)?.table
  expectThat(table !== undefined && table.rowCount === 3, 'the result is a table of three species')
  tell.done(`a table and a chart after ${Math.round(run.timings.totalMs)} ms`, { totalMs: run.timings.totalMs, table })
  tell.table(table)
  const [figure] = run.artifacts
  expectThat(figure?.content != null && figure.mime === 'image/png', 'the open figure comes back as a PNG')
  const chart = join(outDir, 'penguins.png')
  await writeFile(chart, figure.content, 'base64')
  tell.done(`the chart: ${chart}`, { chart })
  return { chart, rows: table.rowCount }
}

const snoop = async (bob: Berth, tell: Narrator): Promise<void> => {
  tell.step("Bob looks for Alice's file: through the API, and from inside a run (scripts/quickstart/snoop.py)")
  const files = await Array.fromAsync(bob.files.list())
  expectThat(files.length === 0, 'Bob sees no file through the API')
  const named = await bob.run('1', { files: ['penguins.csv'] }).catch((error: unknown) => error)
  expectThat(isBerthError(named) && named.code === 'file_not_found', "a run can't name another tenant's file")
  const run = await bob.run(await read('snoop.py'), { variables: { name: 'penguins.csv' } })
  const result = mainJson(run) as { found: string[]; processes: string[] }
  expectThat(result.found.length === 0, `no file of hers is anywhere in his sandbox, found ${result.found.join()}`)
  tell.done(`nothing there, and ${result.processes.length} process to be seen: his own`, result)
}

const attack = async (bob: Berth, stage: Stage, tell: Narrator): Promise<void> => {
  tell.step('Bob turns hostile (scripts/quickstart/hostile.py)')
  const variables = {
    keyPath: stage.operatorKeyPath,
    port: Number(new URL(stage.url).port),
    serverPid: process.pid,
  }
  const attempts = mainJson(await bob.run(await read('hostile.py'), { variables })) as Record<string, string>
  for (const [what, outcome] of Object.entries(attempts)) tell.line(`${what.padEnd(30)} ${outcome}`)
  const through = Object.entries(attempts).filter(([, outcome]) => !outcome.startsWith('refused'))
  expectThat(through.length === 0, `every attempt is refused, but: ${JSON.stringify(through)}`)
  const endless = await bob.run('print("still here", flush=True)\nwhile True: pass', { timeoutMs: 1000 })
  expectThat(
    endless.status === 'timed_out' && endless.logs.stdout.includes('still here'),
    'a time-out keeps its output',
  )
  tell.line(`${'run forever'.padEnd(30)} stopped: ${endless.failure?.detail ?? ''}`)
  tell.done('everything bounced off', { attempts })
}

const check = async (bob: Berth, tell: Narrator): Promise<void> => {
  tell.step('The next run is clean, and TypeScript works the same way (scripts/quickstart/discount.ts)')
  const variables = { order: { items: [{ price: 30, quantity: 4 }] } }
  const run = await bob.run(await read('discount.ts'), { language: 'typescript', variables })
  const result = mainJson(run) as { total: number; discount: number }
  expectThat(result.total === 120 && result.discount === 12, `120 and 12, got ${JSON.stringify(result)}`)
  tell.done(`${JSON.stringify(result)} after ${Math.round(run.timings.totalMs)} ms`, { totalMs: run.timings.totalMs })
}

const mainJson = (run: Run): unknown => {
  expectThat(run.status === 'succeeded', `the run succeeds, got ${describe(run)}`)
  return run.results.find(({ isMain }) => isMain)?.json
}

const describe = (run: Run): string =>
  `${run.status}: ${run.error?.traceback ?? run.failure?.detail ?? ''} ${run.logs.stderr}`.trim()
