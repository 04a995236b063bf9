import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { BerthEvent } from '../domain/ports/events.ts'
import type { BerthStore } from '../domain/ports/store.ts'
import type { CellFleetReport } from '../rollout/fleet-watch.ts'
import { watchFleet } from './fleet-metrics.ts'
import type { Subscriber } from './event-hub.ts'

export interface Metrics {
  readonly subscriber: Subscriber
  readonly contentType: string
  text(): Promise<string>
  /** The number of berths is read when somebody asks. */
  watchBerths(berths: Pick<BerthStore, 'countByState'>, maxBerths: number): void
  /** What is known of the fleet when somebody asks. */
  watchFleet(known: () => readonly CellFleetReport[]): void
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900]

const createInstruments = (registry: Registry) => {
  const registers = [registry]
  return {
    runs: new Counter({
      name: 'berth_runs_total',
      help: 'Runs that ended.',
      labelNames: ['status', 'language', 'failure'],
      registers,
    }),
    runSeconds: new Histogram({
      name: 'berth_run_seconds',
      help: 'From admission to the end of a run.',
      labelNames: ['language'],
      buckets: SECONDS,
      registers,
    }),
    requests: new Counter({
      name: 'berth_http_requests_total',
      help: 'Answered requests.',
      labelNames: ['operation', 'status'],
      registers,
    }),
    requestSeconds: new Histogram({
      name: 'berth_http_request_seconds',
      help: 'From the headers of a request to its answer.',
      labelNames: ['operation'],
      buckets: SECONDS,
      registers,
    }),
    refusals: new Counter({
      name: 'berth_run_refusals_total',
      help: 'Runs that a runner refused before the code started; runner_outdated: it was behind the fence.',
      labelNames: ['reason'],
      registers,
    }),
    events: new Counter({
      name: 'berth_events_total',
      help: 'Events by code.',
      labelNames: ['code', 'level'],
      registers,
    }),
  }
}

/** Counts what the services tell. Labels are codes and words of Berth, never ids, so their number is bounded. */
export const createMetrics = (): Metrics => {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const { runs, runSeconds, requests, requestSeconds, refusals, events } = createInstruments(registry)
  const counters: Readonly<Record<string, (detail: NonNullable<BerthEvent['detail']>) => void>> = {
    'run.finished': ({ status, language, failure, totalMs }) => {
      runs.inc({ status: String(status), language: String(language), failure: String(failure ?? '') })
      runSeconds.observe({ language: String(language) }, Number(totalMs ?? 0) / 1000)
    },
    'run.refused': ({ reason }) => refusals.inc({ reason: String(reason) }),
    'http.answered': ({ operation, status, ms }) => {
      requests.inc({ operation: String(operation), status: String(status) })
      requestSeconds.observe({ operation: String(operation) }, Number(ms) / 1000)
    },
  }

  return {
    subscriber(event) {
      events.inc({ code: event.code, level: event.level })
      counters[event.code]?.(event.detail ?? {})
    },
    contentType: registry.contentType,
    text: () => registry.metrics(),
    watchFleet: (known) => watchFleet(registry, known),
    watchBerths(berths, maxBerths) {
      new Gauge({
        name: 'berth_berths_cap',
        help: 'Berths that may exist.',
        registers: [registry],
      }).set(maxBerths)
      const gauge: Gauge<'state'> = new Gauge({
        name: 'berth_berths',
        help: 'Berths by state; spare ones are counted as ready too.',
        labelNames: ['state'],
        registers: [registry],
        async collect() {
          for (const [state, count] of Object.entries(await berths.countByState())) gauge.set({ state }, count)
        },
      })
    },
  }
}
