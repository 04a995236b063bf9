import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { z } from 'zod'
import { type BerthId, berthIdSchema } from '../../domain/ids.ts'
import { defaultRunLimits } from '../../domain/limits.ts'
import type { Dispatch } from '../../domain/ports/dispatch.ts'
import type { SelfTestReport } from '../../domain/ports/fleet.ts'
import type { Ids } from '../../domain/ports/ids.ts'
import type { TenantFiles } from '../../domain/ports/tenant-files.ts'
import type { RunnerReply } from '../../domain/runner-protocol.ts'
import { explainDisk } from './file-upload.ts'
import type { Layout } from './layout.ts'
import { selfTestCode } from './self-test-code.ts'

export interface SelfTestOptions {
  readonly layout: Layout
  /** Where tenants' berths are, when the berth lies elsewhere. @default `layout` */
  readonly tenants?: Layout
  readonly dispatch: Dispatch
  readonly files: TenantFiles
  readonly ids: Ids
  /** Levels that promise isolation. At any other the checks are still made and told, but only the basic ones decide. */
  readonly sandboxLevels: readonly string[]
}

const observedSchema = z.object({
  own: z.string().nullable(),
  forbidden: z.record(z.string(), z.string()),
  tcp: z.string(),
  udp: z.string(),
})
type Observed = z.infer<typeof observedSchema>

interface Check {
  readonly name: string
  readonly passed: boolean
  readonly detail: string
  /** Needed at every level; the others only where the level promises isolation. */
  readonly basic: boolean
}

const TIMEOUT_MS = 20_000

/** A listener of our own, so that "no egress" is tested with something that would answer. */
const listen = async (): Promise<{ port: number; connections: () => number } & AsyncDisposable> => {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    socket.destroy()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      await once(server.close(), 'close')
    },
  }
}

/** The folder of all berths, a file of this berth that no run may see, and another berth where there is one. */
const forbiddenPaths = async (
  { layout, tenants: { berths } = layout }: SelfTestOptions,
  berthId: BerthId,
): Promise<Record<string, string>> => {
  const other = (await readdir(berths)).find((name) => name !== berthId)
  const paths = { folder_of_berths: berths, own_marker: layout.marker(berthId) }
  return other === undefined ? paths : { ...paths, other_berth: `${berths}/${other}/files` }
}

const nameOf = (token: string): string => `berth-self-test-${token}.txt`
const NOTE = 'self-test'

/** Says that the berth holds a file of ours, for the server after one that was killed meanwhile. */
const noteOf = (layout: Layout, berthId: BerthId, token: string): string =>
  `${layout.incoming}/${NOTE}.${berthId}.${token}`

/** Removes from tenants' files what tests have left there that were cut off by a kill. */
export const sweepSelfTests = async ({ layout, files }: Pick<SelfTestOptions, 'layout' | 'files'>): Promise<void> => {
  for (const name of await readdir(layout.incoming)) {
    const [kind, id, token = ''] = name.split('.')
    const berthId = berthIdSchema.safeParse(id)
    if (kind !== NOTE || !berthId.success) continue
    const place = { berthId: berthId.data, area: 'files' as const }
    await files.delete(place, nameOf(token), { signal: new AbortController().signal })
    await rm(`${layout.incoming}/${name}`)
  }
}

const refused = (name: string, outcome: string): Check => ({
  name,
  passed: outcome !== 'possible',
  detail: outcome,
  basic: false,
})

const checksOf = (reply: RunnerReply, observed: Observed | null, expected: { token: string; sandboxed: boolean }) => {
  const { version, level } = reply.runner
  const sandbox = expected.sandboxed ? level : `level ${level}: code runs without a sandbox`
  const ended = `${reply.outcome.status} ${reply.outcome.detail}`.trim()
  const checks: Check[] = [
    { name: 'runner_answers', passed: observed !== null, detail: ended, basic: true },
    { name: 'runner_version', passed: version >= 1, detail: String(version), basic: true },
    { name: 'sandbox', passed: expected.sandboxed, detail: sandbox, basic: false },
  ]
  if (observed === null) return checks
  const own = observed.own === expected.token
  checks.push({ name: 'own_files_readable', passed: own, detail: own ? 'read' : 'not as written', basic: true })
  for (const [name, outcome] of Object.entries(observed.forbidden)) checks.push(refused(`no_${name}`, outcome))
  return [...checks, refused('no_tcp', observed.tcp), refused('no_udp', observed.udp)]
}

const verdictOf = (reply: RunnerReply, checks: readonly Check[], sandboxed: boolean): SelfTestReport => ({
  passed: checks.every((check) => check.passed || (!sandboxed && !check.basic)),
  runnerVersion: reply.runner.version,
  image: reply.runner.image,
  checks: checks.map(({ name, passed, detail }) => ({ name, passed, detail })),
})

/** Runs real code inside the berth through Dispatch and compares what it saw with what it must see. */
export const runSelfTest = async (
  options: SelfTestOptions,
  berthId: BerthId,
  signal: AbortSignal,
): Promise<SelfTestReport> => {
  const { dispatch, files, ids, layout } = options
  const token = randomBytes(16).toString('hex')
  const name = nameOf(token)
  const note = noteOf(layout, berthId, token)
  const place = { berthId, area: 'files' as const }
  await using listener = await listen()
  await writeFile(note, '').catch((error: unknown) => {
    throw explainDisk(error)
  })
  try {
    await files.put(
      place,
      name,
      (async function* () {
        yield Buffer.from(token)
      })(),
      { maxBytes: token.length, signal },
    )
    const variables = { file: name, forbidden: await forbiddenPaths(options, berthId), port: listener.port }
    const request = {
      runId: ids.runId(),
      language: 'python' as const,
      code: selfTestCode,
      variables,
      files: [name],
      profile: 'default' as const,
      limits: { ...defaultRunLimits, timeoutMs: TIMEOUT_MS },
      minRunnerVersion: 0,
    }
    const reply = await dispatch.dispatch({ berthId, request, signal })
    const observed = observedSchema.safeParse(reply.results.find((result) => result.isMain)?.json)
    const sandboxed = options.sandboxLevels.includes(reply.runner.level)
    const checks = checksOf(reply, observed.data ?? null, { token, sandboxed })
    return verdictOf(reply, checks, sandboxed)
  } finally {
    await files.delete(place, name, { signal: new AbortController().signal })
    await rm(note, { force: true })
  }
}
