import { type Artifacts, createArtifacts } from './artifacts.ts'
import { createFiles, type Files } from './files.ts'
import { createKeys, type Keys } from './keys.ts'
import type { BerthOptions } from './options.ts'
import { createRunCode, type RunCode } from './run-code.ts'
import { createRuns, type Runs, type Waiting } from './runs.ts'
import { createTenants, type Tenants } from './tenants.ts'
import { createTransport } from './transport.ts'
import type { Me, Page, Reconciliation, Runtimes, WireFence, WireFleet, WireRollout } from './wire.ts'

/** A Berth server, as one caller sees it. */
export interface Berth {
  /** Runs code in the caller's own berth and resolves with the finished run. */
  readonly run: RunCode
  readonly runs: Runs
  readonly files: Files
  readonly artifacts: Artifacts
  readonly tenants: Tenants
  readonly keys: Keys
  /** Who the server takes the caller for. */
  me(options?: Waiting): Promise<Me>
  /** Languages, versions, packages and limits. */
  runtimes(options?: Waiting): Promise<Runtimes>
  /** For operators: what the berths of each cell run, against what is wanted. */
  fleet(options?: Waiting): Promise<readonly WireFleet[]>
  /** For operators of a server on one machine: takes the runner that is installed there now into use. @default dryRun false; fence unchanged */
  rollout(
    options?: Waiting & { readonly dryRun?: boolean | undefined; readonly fence?: number | undefined },
  ): Promise<WireRollout>
  /** For operators of a server on one machine: takes the runner that was in use before into use again. Said twice it goes back once. */
  rollBack(options?: Waiting): Promise<WireRollout>
  /** For operators of a server on one machine: the oldest runner version that may execute a run. */
  setFence(version: number, options?: Waiting): Promise<WireFence>
  /** For operators: compares what is meant to exist with what does; mends it with `apply`. @default apply false */
  reconcile(
    options?: Waiting & {
      readonly apply?: boolean | undefined
      readonly rebuild?: boolean | undefined
      readonly deep?: boolean | undefined
    },
  ): Promise<Reconciliation>
}

/** @throws {BerthError} config_invalid when the options make no sense */
export const createBerth = (options: BerthOptions): Berth => {
  const transport = createTransport(options)
  const runs = createRuns(transport)
  return {
    run: createRunCode(runs),
    runs,
    files: createFiles(transport),
    artifacts: createArtifacts(transport),
    tenants: createTenants(transport),
    keys: createKeys(transport),
    me: ({ signal } = {}) => transport.json({ method: 'GET', path: ['v1', 'me'], repeat: 'always', signal }),
    runtimes: ({ signal } = {}) =>
      transport.json({ method: 'GET', path: ['v1', 'runtimes'], repeat: 'always', signal }),
    fleet: async ({ signal } = {}) => {
      const { data } = await transport.json<Pick<Page<WireFleet>, 'data'>>({
        method: 'GET',
        path: ['v1', 'fleet'],
        repeat: 'always',
        signal,
      })
      return data
    },
    rollout: ({ dryRun = false, fence, signal } = {}) =>
      transport.json({
        method: 'POST',
        path: ['v1', 'fleet', 'rollouts'],
        json: { dryRun, fence: fence ?? null },
        repeat: 'always',
        timeoutMs: null,
        signal,
      }),
    rollBack: ({ signal } = {}) =>
      transport.json({
        method: 'POST',
        path: ['v1', 'fleet', 'rollbacks'],
        json: {},
        repeat: 'always',
        timeoutMs: null,
        signal,
      }),
    setFence: (version, { signal } = {}) =>
      transport.json({ method: 'PUT', path: ['v1', 'fleet', 'fence'], json: { version }, repeat: 'always', signal }),
    reconcile: ({ apply = false, rebuild = false, deep = false, signal } = {}) =>
      transport.json({
        method: 'POST',
        path: ['v1', 'reconcile'],
        json: { apply, rebuild, deep },
        repeat: 'always',
        timeoutMs: null,
        signal,
      }),
  }
}
