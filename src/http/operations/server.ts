import { z } from 'zod'
import { BerthError } from '../../domain/errors.ts'
import type { HttpDeps } from '../http-deps.ts'
import type { Operation } from '../operation.ts'
import { parseInput } from '../parse-input.ts'
import { readJson } from '../read-body.ts'
import { sendJson } from '../send.ts'
import { viewFleet } from '../views.ts'
import {
  fenceRequestWire,
  fenceWire,
  fleetWire,
  reconcileReportWire,
  reconcileRequestWire,
  rolloutRequestWire,
  rolloutWire,
} from '../wire.ts'

const BODY = { maxBytes: 64 * 1024, timeoutMs: 20_000 }
const READY_TIMEOUT_MS = 3000

const reconcile = ({ provisioner }: HttpDeps): Operation => ({
  method: 'post',
  path: '/v1/reconcile',
  id: 'reconcile',
  tag: 'fleet',
  access: 'operator',
  summary: 'Compare rows with resources, and with apply close the gaps',
  body: { schema: reconcileRequestWire },
  answers: { 200: { description: 'What differs and what was done.', schema: reconcileReportWire } },
  errors: ['invalid_request', 'malformed_json', 'backend_unavailable'],
  async handle({ request, response, signal }) {
    const asked = parseInput(reconcileRequestWire, await readJson(request, BODY), { where: 'body' })
    sendJson(response, 200, await provisioner.reconcile({ ...asked, signal }))
  },
})

const getFleet = ({ fleetWatch, clock }: HttpDeps): Operation => ({
  method: 'get',
  path: '/v1/fleet',
  id: 'getFleet',
  tag: 'fleet',
  access: 'operator',
  summary: 'What the berths run, who lags behind and why',
  description:
    'What is wanted is a few seconds old. What runs comes from a listing that is at most five minutes old; where a new one takes longer than five seconds the answer shows the one before. `ageSeconds` tells its age. On one machine it is made for the answer.',
  answers: { 200: { description: 'By cell.', schema: fleetWire } },
  async handle({ response, signal }) {
    const cells = await fleetWatch.report({ signal })
    sendJson(response, 200, { data: cells.map((cell) => viewFleet(cell, clock.now())) })
  },
})

const startRollout = ({ rollouts }: HttpDeps): Operation => ({
  method: 'post',
  path: '/v1/fleet/rollouts',
  id: 'startRollout',
  tag: 'fleet',
  access: 'operator',
  summary: 'Take the runner that is installed on this machine now into use, without a restart',
  description:
    'On `local` only. A second runner is started from its folder and tested in a berth; then new runs go there, and the one before ends when its runs have. One that does not start or fails its test changes nothing: `state` is `rolled_back`, `reason` says why. Cut off, ask again.',
  body: { schema: rolloutRequestWire },
  answers: { 200: { description: 'How it ended.', schema: rolloutWire } },
  errors: ['invalid_request', 'malformed_json', 'unsupported', 'conflict', 'backend_unavailable'],
  async handle({ request, response, signal }) {
    const asked = parseInput(rolloutRequestWire, await readJson(request, BODY), { where: 'body' })
    sendJson(response, 200, await own(rollouts).start({ ...asked, signal }))
  },
})

const rollBackFleet = ({ rollouts }: HttpDeps): Operation => ({
  method: 'post',
  path: '/v1/fleet/rollbacks',
  id: 'rollBackFleet',
  tag: 'fleet',
  access: 'operator',
  summary: 'Take the runner that was in use on this machine before into use again',
  description:
    'On `local` only. It is tested first, as at a rollout; one that is not well changes nothing. Said twice it goes back once. A restart keeps to it for as long as the release that was left is the one that is installed.',
  answers: { 200: { description: 'How it ended.', schema: rolloutWire } },
  errors: ['unsupported', 'conflict', 'backend_unavailable'],
  async handle({ response, signal }) {
    sendJson(response, 200, await own(rollouts).rollBack({ signal }))
  },
})

const setFence = ({ rollouts }: HttpDeps): Operation => ({
  method: 'put',
  path: '/v1/fleet/fence',
  id: 'setFence',
  tag: 'fleet',
  access: 'operator',
  summary: 'Set the oldest runner version that may execute a run on this machine',
  description:
    'On `local` only. Every later run is refused by an older runner. It may be lowered, and outlasts a restart.',
  body: { schema: fenceRequestWire },
  answers: { 200: { description: 'What holds now.', schema: fenceWire } },
  errors: ['invalid_request', 'malformed_json', 'unsupported', 'conflict'],
  async handle({ request, response, signal }) {
    const { version } = parseInput(fenceRequestWire, await readJson(request, BODY), { where: 'body' })
    sendJson(response, 200, await own(rollouts).fence(version, { signal }))
  },
})

const own = (rollouts: HttpDeps['rollouts']): NonNullable<HttpDeps['rollouts']> => {
  if (rollouts !== null) return rollouts
  throw new BerthError(
    'unsupported',
    'Berths on AWS are brought to an image from outside, with rights that no server has: berth rollout start --region <region> --image <image>; rollback and fence go the same way',
  )
}

const getMetrics = ({ metrics }: HttpDeps): Operation => ({
  method: 'get',
  path: '/metrics',
  id: 'getMetrics',
  tag: 'server',
  access: 'operator',
  summary: 'Metrics in the Prometheus text format',
  answers: { 200: { description: 'The metrics.', mime: 'text/plain', schema: z.string() } },
  async handle({ response }) {
    const text = await metrics.text()
    response.writeHead(200, { 'Content-Type': metrics.contentType }).end(text)
  },
})

const healthWire = z.object({ status: z.literal('ok'), version: z.string() }).meta({ id: 'Health' })

const getHealth = (version: string): Operation => ({
  method: 'get',
  path: '/health',
  id: 'getHealth',
  tag: 'server',
  access: 'public',
  summary: 'The process lives',
  answers: { 200: { description: 'It does.', schema: healthWire } },
  async handle({ response }) {
    sendJson(response, 200, { status: 'ok', version })
  },
})

const readyWire = healthWire
  .extend({
    warnings: z.array(z.enum(['near_cap', 'at_cap'])).meta({
      description: 'near_cap: 80 % of the berths that may exist do. at_cap: all do, and who signs up is told to retry.',
    }),
  })
  .meta({ id: 'Readiness' })

const getReady = ({ store, backend, provisioner }: HttpDeps, version: string): Operation => ({
  method: 'get',
  path: '/ready',
  id: 'getReady',
  tag: 'server',
  access: 'public',
  summary: 'Store and backend answer',
  answers: { 200: { description: 'They do.', schema: readyWire } },
  errors: ['store_unavailable', 'backend_unavailable'],
  async handle({ response, signal }) {
    const within = AbortSignal.any([signal, AbortSignal.timeout(READY_TIMEOUT_MS)])
    await store.ping({ signal: within })
    await withDeadline(backend.describe(), within)
    // A full server is ready: it runs code for whoever has a berth.
    const room = await provisioner.room()
    sendJson(response, 200, { status: 'ok', version, warnings: room === 'free' ? [] : [room] })
  },
})

const withDeadline = <T>(work: Promise<T>, signal: AbortSignal): Promise<T> => {
  const { promise, reject } = Promise.withResolvers<never>()
  signal.addEventListener(
    'abort',
    () => reject(new BerthError('backend_unavailable', 'The backend does not answer.')),
    {
      once: true,
    },
  )
  return Promise.race([work, promise])
}

export const serverOperations = (deps: HttpDeps, version: string): readonly Operation[] => [
  reconcile(deps),
  getFleet(deps),
  startRollout(deps),
  rollBackFleet(deps),
  setFence(deps),
  getMetrics(deps),
  getHealth(version),
  getReady(deps, version),
]
