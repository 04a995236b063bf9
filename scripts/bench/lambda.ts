import { setTimeout as sleep } from 'node:timers/promises'
import { compareInTurn, percentile, shuffled } from './compare.ts'
import { type Figures, ratio, timesOf } from './figures.ts'
import { measureProvisioning } from './lambda-provision.ts'
import { type LambdaSite, startLambdaSite } from './lambda-site.ts'
import { measureThroughput } from './throughput.ts'

const CLIENTS = 32
const SLICES = 16
const SLICE_MS = 500
/** Both sides are compiled anew as they get hot; a server that has just started is not what is measured. */
const WARM_UP_ROUNDS = 600
const SIGN_UPS = 20
/** What is written behind a berth that has just become ready. */
const REST_MS = 100
/** One for the tenant who is there already, one for the sign-up that warms up. */
const SPARES = SIGN_UPS + 2

/** One run over HTTP against one Invoke of the bare SDK, both answered by the same stand-in. */
const measureRun = async (site: LambdaSite, uid: string): Promise<Figures> => {
  const { run, invoke } = await compareInTurn(
    [
      { name: 'run', once: () => site.run(uid) },
      { name: 'invoke', once: () => site.invoke() },
    ],
    { rounds: 1000, budgetMs: 10_000, warmUpRounds: WARM_UP_ROUNDS },
  )
  if (run === undefined || invoke === undefined) throw new Error('a variant was not measured')
  return {
    values: {
      'lambda.run.vs_raw_invoke.p50': ratio(run.p50, invoke.p50),
      'lambda.run.vs_raw_invoke.p99': ratio(run.p99, invoke.p99),
      ...timesOf('lambda.run', run),
      ...timesOf('lambda.run.raw_invoke', invoke),
    },
    omitted: {},
  }
}

/** From the signed hook to the first result of a user for whom a spare waits, against one run of a user who is there already. */
const measureSignUp = async (site: LambdaSite, uid: string, uids: string[]): Promise<Figures> => {
  const signUp = async (): Promise<void> => {
    const fresh = await site.signUp()
    uids.push(fresh)
    await site.run(fresh)
  }
  // The figure is about one sign-up, not about a rush of them: what the one before took is made again by then.
  const before = async (): Promise<void> => {
    await site.berthsReady(SPARES + uids.length)
    await sleep(REST_MS)
  }
  const { signup, run } = await compareInTurn(
    [
      { name: 'signup', before, once: signUp },
      { name: 'run', before, once: () => site.run(uid) },
    ],
    { rounds: SIGN_UPS, budgetMs: 60_000 },
  )
  if (signup === undefined || run === undefined) throw new Error('a variant was not measured')
  return {
    values: {
      'lambda.signup.spare.vs_run': ratio(signup.p50, run.p50),
      ...timesOf('lambda.signup.spare', signup),
      ...timesOf('lambda.signup.spare.run', run),
    },
    omitted: {},
  }
}

/** So many clients at once, in slices that take turns; medians of their rates. */
const measureThroughputs = async (site: LambdaSite, uids: readonly string[]): Promise<Figures> => {
  const variants = [
    { name: 'run' as const, once: (client: number) => site.run(uids[client % uids.length] ?? '') },
    { name: 'invoke' as const, once: () => site.invoke() },
  ]
  const rates = { run: [] as number[], invoke: [] as number[] }
  for (const { once } of variants) await measureThroughput(CLIENTS, SLICE_MS, once)
  for (let slice = 0; slice < SLICES; slice += 1)
    for (const { name, once } of shuffled(variants, Math.random))
      rates[name].push((await measureThroughput(CLIENTS, SLICE_MS, once)).perSecond)
  const [run, invoke] = [percentile(rates.run, 0.5), percentile(rates.invoke, 0.5)]
  return {
    values: {
      'lambda.throughput.vs_raw_invoke': ratio(run, invoke),
      'lambda.throughput.per_second': Math.round(run),
      'lambda.throughput.raw_invoke.per_second': Math.round(invoke),
      'lambda.throughput.clients': CLIENTS,
    },
    omitted: {},
  }
}

/** Berth's own share of what a run on Lambda takes, and how well it uses the requests that AWS allows. */
export const measureLambda = async (): Promise<readonly Figures[]> => [
  ...(await measureServer()),
  await measureProvisioning(),
]

const measureServer = async (): Promise<readonly Figures[]> => {
  await using site = await startLambdaSite({ spares: SPARES })
  await site.berthsReady(SPARES)
  const uid = await site.signUp()
  const uids = [uid]
  const run = await measureRun(site, uid)
  const signUp = await measureSignUp(site, uid, uids)
  // What the sign-ups took is made again behind them; that is over before the next figure.
  await site.berthsReady(SPARES + uids.length)
  return [run, signUp, await measureThroughputs(site, uids)]
}
