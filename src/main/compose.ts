import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Express } from 'express'
import { createDispatcher, type Dispatcher } from '../dispatcher/dispatcher.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { Dispatch } from '../domain/ports/dispatch.ts'
import type { Store } from '../domain/ports/store.ts'
import { createApp } from '../http/app.ts'
import type { Limits } from '../http/wire.ts'
import { createServiceKeys } from '../identity/service-keys.ts'
import { createProvisioner, type Provisioner } from '../provisioner/provisioner.ts'
import { createFleetWatch } from '../rollout/fleet-watch.ts'
import { openStore } from '../store/open-store.ts'
import type { Config } from './config.ts'
import { createEventHub, type Subscriber } from './event-hub.ts'
import { closeServer, listen } from './listen.ts'
import { createStoreActivity } from './deployment/store-activity.ts'
import { createLogging } from './logging.ts'
import { makeDataFolder } from './make-folder.ts'
import { createMetrics } from './metrics.ts'
import { openBackend, type OpenedBackend, type Worker } from './open-backend.ts'
import { openHooks } from './open-hooks.ts'
import { openIdentity } from './open-identity.ts'
import { ensureOperatorKey } from './operator-key.ts'
import { createRandomIds } from './random-ids.ts'
import { createSystemClock } from './system-clock.ts'

export interface ComposeOptions {
  /** Told every event besides logs and metrics. */
  readonly subscribers?: readonly Subscriber[]
  /** @default the machine's own */
  readonly clock?: Clock
}

/** A running server with its parts; benches and tests call the ports without HTTP. */
export interface Composed extends AsyncDisposable {
  readonly url: string
  readonly app: Express
  readonly store: Store
  readonly dispatch: Dispatch
  readonly dispatcher: Dispatcher
  readonly provisioner: Provisioner
  /** Takes no more requests, lets running runs end until the deadline, hands back the rest, then closes everything. */
  stop(): Promise<void>
}

/** Answers and uploads that are under way when all runs have ended get at least this long. */
const LAST_ANSWERS_MS = 1000

/**
 * The one place that calls factories with real dependencies. Whatever was opened is closed in reverse order, also when a
 * later step fails. @throws {BerthError} config_invalid, data_dir_locked, store_unavailable, sandbox_unavailable
 */
export const compose = async (config: Config, options: ComposeOptions = {}): Promise<Composed> => {
  await using resources = new AsyncDisposableStack()
  const clock = options.clock ?? createSystemClock()
  const ids = createRandomIds(clock)
  const logging = resources.use(createLogging(config.logLevel))
  const metrics = createMetrics()
  const events = createEventHub([logging.subscriber, metrics.subscriber, ...(options.subscribers ?? [])])
  const base = { clock, ids, events }

  await makeDataFolder(config.dataDir)
  const store = resources.use(await openStore({ databaseUrl: config.databaseUrl, dataDir: config.dataDir, clock }))
  metrics.watchBerths(store.berths, config.maxBerths)
  const keys = createServiceKeys({ keys: store.keys, clock, ids })
  const identity = await openIdentity(config, { ...base, keys, resources })
  await ensureOperatorKey(config, { keys, ids })
  const backend = resources.use(await openBackend(config, { ...base, berths: store.berths }))
  const { berths, fleet, files, dispatch, fences } = backend
  const provisioner = createProvisioner({ ...base, store, berths, fleet, files }, provisionerOptions(config, backend))
  const dispatcher = resources.use(
    createDispatcher(
      { ...base, store, dispatch, fleet, files, berths: provisioner, ...(fences === undefined ? {} : { fences }) },
      dispatcherOptions(config),
    ),
  )

  const fleetWatch = createFleetWatch({ ...base, cells: backend.fleetCells })
  metrics.watchFleet(() => fleetWatch.known())
  const rollouts = backend.rollouts?.(createStoreActivity(store)) ?? null
  if (rollouts !== null) resources.use(rollouts)
  const streams = new AbortController()
  const app = createApp(
    {
      dispatcher,
      provisioner,
      files,
      store,
      keys,
      clock,
      events,
      metrics,
      fleetWatch,
      rollouts,
      stopping: streams.signal,
      backend: dispatch,
      identity,
      ...openHooks(config, clock),
    },
    { limits: limitsOf(config), trustProxyHops: config.trustProxyHops, version: packageVersion() },
  )
  const work = startWork([provisioner, dispatcher, fleetWatch, ...backend.workers])
  resources.defer(work.stop)
  const { server, url } = await listen(app, config)
  resources.defer(() => closeServer(server, AbortSignal.abort()))
  const owned = resources.move()

  const stop = stopping({ clock, shutdownMs: config.shutdownMs, server, work, streams, owned })
  events.emit({ code: 'server.listening', level: 'info', detail: { url } })
  return { url, app, store, dispatch, dispatcher, provisioner, stop, [Symbol.asyncDispose]: stop }
}

interface Stoppable {
  readonly clock: Clock
  readonly shutdownMs: number
  readonly server: Server
  readonly work: { stop(): Promise<void> }
  /** Ends answers that would go on for as long as anybody listens. */
  readonly streams: AbortController
  readonly owned: AsyncDisposableStack
}

const stopping =
  ({ clock, shutdownMs, server, work, streams, owned }: Stoppable) =>
  async (): Promise<void> => {
    const giveUpAt = clock.monotonicMs() + shutdownMs
    const cut = new AbortController()
    const closed = closeServer(server, cut.signal)
    await work.stop()
    streams.abort()
    const leftMs = Math.max(LAST_ANSWERS_MS, giveUpAt - clock.monotonicMs())
    await Promise.race([closed, delay(leftMs, undefined, { ref: false })])
    cut.abort()
    await closed
    await owned.disposeAsync()
  }

/** Background work of the services; `stop` resolves when all of it has ended. */
const startWork = (workers: readonly Worker[]) => {
  const root = new AbortController()
  const running = Promise.all(workers.map((worker) => worker.start(root.signal)))
  // Its failure is told by `stop`; until then it must not count as unhandled.
  running.catch(() => undefined)
  return {
    stop: async (): Promise<void> => {
      root.abort()
      await running
    },
  }
}

const provisionerOptions = (config: Config, { pickCell, provisioning }: OpenedBackend) => ({
  ...provisioning,
  pickCell,
  spares: config.spares,
  maxBerths: config.maxBerths,
  signUpsPerMinute: config.signUpsPerMinute,
  maxBerthsPerProject: config.maxBerthsPerProject,
  // As many as the dispatcher would then take.
  waitingPerTenant: config.concurrencyPerTenant + config.queuePerTenant,
})

const dispatcherOptions = (config: Config) => ({
  limits: config.runLimits,
  maxTimeoutMs: config.maxTimeoutMs,
  maxMemoryMiB: config.maxMemoryMiB,
  perTenant: {
    perSecond: config.ratePerMinute / 60,
    // A tenant that rested may start a whole minute's worth at once.
    burst: config.ratePerMinute,
    concurrency: config.concurrencyPerTenant,
    waiting: config.queuePerTenant,
    queued: config.queuePerTenant,
  },
  retentionMs: config.runRetentionDays * 24 * 3_600_000,
  drainMs: config.shutdownMs,
})

const limitsOf = (config: Config): Limits => ({
  run: config.runLimits,
  maxTimeoutMs: config.maxTimeoutMs,
  maxMemoryMiB: config.maxMemoryMiB,
  ratePerMinute: config.ratePerMinute,
  concurrency: config.concurrencyPerTenant,
  queue: config.queuePerTenant,
  maxFileBytes: config.maxFileBytes,
  maxTenantBytes: config.maxTenantBytes,
})

const packageVersion = (): string => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const parsed = JSON.parse(text) as { readonly version: string }
  return parsed.version
}
