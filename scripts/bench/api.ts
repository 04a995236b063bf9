import { setTimeout as sleep } from 'node:timers/promises'
import { type ApiServer, startApiServer } from './api-server.ts'
import { type BerthSubject, makeBerthSubject } from './berth-subject.ts'
import { compareInTurn, percentile, shuffled } from './compare.ts'
import { type Figures, ratio, timesOf } from './figures.ts'
import { pythonOneLiner } from './programs.ts'
import { measureThroughput } from './throughput.ts'

const CLIENTS = 8
/** Short ones, so that what else the machine does falls on both sides alike. */
const SLICES = 16
const SLICE_MS = 500
/**
 * The server's code is compiled anew as it gets hot: its own share of a run fell by a sixth between the 300th request and the
 * 1,100th. A server that has just started is not what is measured, so both sides get as many runs first.
 */
const WARM_UP_ROUNDS = 600
/** So that a spare waits again: the figure is about sign-ups that find one. */
const REFILL_MS = 300

/** One run over HTTP against the same run through the port alone. */
const measureRun = async (server: ApiServer, subject: BerthSubject): Promise<Figures> => {
  const [uid, berthId] = [await server.signUp(), await subject.makeBerth()]
  const { api, port } = await compareInTurn(
    [
      { name: 'api', once: () => server.run(uid, pythonOneLiner) },
      { name: 'port', once: async () => void (await subject.run(berthId, pythonOneLiner)) },
    ],
    { rounds: 400, budgetMs: 10_000, warmUpRounds: WARM_UP_ROUNDS },
  )
  if (api === undefined || port === undefined) throw new Error('a variant was not measured')
  return {
    values: {
      'api.run.vs_port.p50': ratio(api.p50, port.p50),
      'api.run.vs_port.p99': ratio(api.p99, port.p99),
      ...timesOf('api.run', api),
      ...timesOf('api.run.port', port),
    },
    omitted: {},
  }
}

/** Eight clients at once, over HTTP and through the port, in slices that take turns; medians of their rates. */
const measureThroughputs = async (server: ApiServer, subject: BerthSubject): Promise<Figures> => {
  const uids = await Promise.all(Array.from({ length: CLIENTS }, () => server.signUp()))
  const berths = await Promise.all(Array.from({ length: CLIENTS }, () => subject.makeBerth()))
  const variants = [
    { name: 'api' as const, once: (client: number) => server.run(uids[client] ?? '', pythonOneLiner) },
    {
      name: 'port' as const,
      once: async (client: number) => {
        const berthId = berths[client]
        if (berthId !== undefined) await subject.run(berthId, pythonOneLiner)
      },
    },
  ]
  const rates = { api: [] as number[], port: [] as number[] }
  for (let slice = 0; slice < SLICES; slice += 1)
    for (const { name, once } of shuffled(variants, Math.random))
      rates[name].push((await measureThroughput(CLIENTS, SLICE_MS, once)).perSecond)
  const [api, port] = [percentile(rates.api, 0.5), percentile(rates.port, 0.5)]
  return {
    values: {
      'api.throughput.vs_port': ratio(api, port),
      'api.throughput.per_second': Math.round(api),
      'api.throughput.port.per_second': Math.round(port),
    },
    omitted: {},
  }
}

/** From the signed hook to the new user's first result, against one run of a user who is there already. */
const measureSignUp = async (server: ApiServer): Promise<Figures> => {
  const uid = await server.signUp()
  const { signup, run } = await compareInTurn(
    [
      {
        name: 'signup',
        before: () => sleep(REFILL_MS),
        once: async () => server.run(await server.signUp(), pythonOneLiner),
      },
      { name: 'run', before: () => sleep(REFILL_MS), once: () => server.run(uid, pythonOneLiner) },
    ],
    { rounds: 20, budgetMs: 15_000 },
  )
  if (signup === undefined || run === undefined) throw new Error('a variant was not measured')
  return {
    values: {
      'signup.first_result.vs_run': ratio(signup.p50, run.p50),
      ...timesOf('signup.first_result', signup),
      ...timesOf('signup.first_result.run', run),
    },
    omitted: {},
  }
}

/** A server in its own process against the backend without a server, on the same machine at the same time. */
export const measureApi = async (): Promise<readonly Figures[]> => {
  await using server = await startApiServer()
  await using subject = await makeBerthSubject()
  return [await measureRun(server, subject), await measureThroughputs(server, subject), await measureSignUp(server)]
}
