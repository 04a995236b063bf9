import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCellClients } from '../../src/aws/clients.ts'
import { openCell } from '../../src/aws/open-cell.ts'
import { createPacer } from '../../src/aws/pacer.ts'
import { createLambdaBackend } from '../../src/backends/lambda/lambda-backend.ts'
import { stackWork } from '../../src/backends/lambda/stack-berths.ts'
import type { Events } from '../../src/domain/ports/events.ts'
import { createRandomIds } from '../../src/main/random-ids.ts'
import { createProvisioner } from '../../src/provisioner/provisioner.ts'
import { openSqliteStore } from '../../src/store/open-sqlite-store.ts'
import { type Figures, ratio } from './figures.ts'
import { instantAwsEnv, startInstantAws } from './lambda-site.ts'
import { createPacerLog } from './pacer-log.ts'
import { createScaledClock } from './scaled-clock.ts'

const SIGN_UPS = 1000
/** 1,000 stacks at 4 a second take over four minutes; so much faster does the clock run. */
const SCALE = 8

/** A thousand sign-ups at once: what share of the requests that the scarcest pool allows were sent while work waited. */
export const measureProvisioning = async (): Promise<Figures> => {
  await using parts = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'berth-bench-'))
  parts.defer(() => rm(folder, { recursive: true, force: true }))
  const standIn = parts.use(await startInstantAws())
  // The SDK reads its own variables, in the server too.
  Object.assign(process.env, instantAwsEnv(standIn.word.port))
  const clock = createScaledClock(SCALE)
  const ids = createRandomIds(clock)
  const log = createPacerLog(createPacer({ clock }), clock)
  const clients = parts.use(createCellClients({ region: 'eu-west-1', deployment: 'berth' }))
  const place = { name: 'bench', region: 'eu-west-1', deployment: 'berth' }
  const signal = new AbortController().signal
  const cell = await openCell({ ...place, clients, pacer: log.pacer, signal })
  const store = parts.use(await openSqliteStore({ dataDir: folder, clock }))
  const made = countReady(SIGN_UPS)
  const backend = createLambdaBackend({ cell, clock, ids, events: made.events })
  const options = {
    ...stackWork,
    pickCell: async () => 'bench',
    spares: 0,
    maxBerths: 2 * SIGN_UPS,
    leaseMs: 3_600_000,
  }
  const provisioner = createProvisioner({ ...backend, store, clock, ids, events: made.events }, options)
  const stopping = new AbortController()
  const ended = provisioner.start(stopping.signal)
  parts.defer(async () => {
    stopping.abort()
    await ended
  })
  await Promise.all(Array.from({ length: SIGN_UPS }, (_, n) => provisioner.signUp(external(n), null)))
  await made.all
  const { utilisation, pool } = log.busiest()
  const excess = log.excess()
  return {
    values: {
      'lambda.provision.1000.pacer_utilisation': ratio(utilisation, 1),
      'lambda.provision.1000.never_above_budget': excess <= 1 ? 1 : 0,
      'lambda.provision.1000.worst_excess_requests': Number(Math.max(0, excess).toFixed(2)),
      [`lambda.provision.1000.minutes_at_${pool}_rate`]: Number((log.spanMs(pool) / 60_000).toFixed(2)),
      'lambda.provision.1000.n': SIGN_UPS,
    },
    omitted: {},
  }
}

const external = (n: number) => ({ project: 'bench', identityTenant: '', uid: `${n}` })

const countReady = (wanted: number): { readonly events: Events; readonly all: Promise<void> } => {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let ready = 0
  const emit: Events['emit'] = ({ code, error }) => {
    if (code === 'berth.failed') reject(error ?? new Error('a berth failed'))
    if (code === 'berth.ready' && (ready += 1) === wanted) resolve()
  }
  return { events: { emit }, all: promise }
}
