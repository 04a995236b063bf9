import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDispatcher, type Dispatcher } from '../../src/dispatcher/dispatcher.ts'
import type { Store } from '../../src/domain/ports/store.ts'
import { createProvisioner, type Provisioner } from '../../src/provisioner/provisioner.ts'
import { openSqliteStore } from '../../src/store/open-sqlite-store.ts'
import { makeBackend } from '../backends/local/subject.ts'
import { bodyOf, codeOf, collect, quiet, textOf } from '../contract/content.ts'
import { ask, python } from '../support/dispatch-site.ts'
import { createEventLog, type EventLog } from '../support/event-log.ts'
import { WHOLE_PYTHON } from '../support/light-python.ts'
import { clock, externalId } from '../support/provisioning-site.ts'

type Backend = Awaited<ReturnType<typeof makeBackend>>

const signal = quiet()
const resources = new AsyncDisposableStack()
let backend: Backend
let store: Store
let provisioner: Provisioner
let dispatcher: Dispatcher
/** Of a server that looks neither after leases nor for what other servers did: its runs go to their ends. */
let heedless: Dispatcher
let log: EventLog

const start = (worker: Pick<Provisioner, 'start'>): void => {
  const stopping = new AbortController()
  const ended = worker.start(stopping.signal)
  resources.defer(async () => {
    stopping.abort()
    await ended
  })
}

beforeAll(async () => {
  backend = resources.use(await makeBackend({ python: WHOLE_PYTHON }))
  store = resources.use(await openSqliteStore({ dataDir: backend.dataDir, clock }))
  log = createEventLog()
  const deps = { store, clock, ids: backend.ids, events: log }
  const { berths, dispatch, fleet, files } = backend
  provisioner = createProvisioner(
    { ...deps, berths, fleet },
    { pickCell: async () => 'home', spares: 1, maxBerths: 100 },
  )
  const another = () => resources.use(createDispatcher({ ...deps, dispatch, fleet, files, berths: provisioner }, {}))
  dispatcher = another()
  heedless = another()
  start(provisioner)
  start(dispatcher)
})
afterAll(() => resources.disposeAsync())

test('a new user runs code over a file of their own in a berth that was made for them', async () => {
  const { berth } = await provisioner.ensureBerth(externalId('ada'), { signal })
  await backend.files.put({ berthId: berth.id, area: 'files' }, 'n.csv', bodyOf('n\n1\n2\n'), { maxBytes: 99, signal })
  const code = 'import pandas as pd\nprint("reading")\nint(pd.read_csv("n.csv").n.sum())'

  const { run } = await dispatcher.run(ask({ request: python({ code, files: ['n.csv'] }) }))

  expect(run).toMatchObject({ status: 'succeeded', error: null, logs: { stdout: 'reading\n' } })
  expect(run.results.find(({ isMain }) => isMain)?.text).toBe('3')
})

test('what a run writes into outputs/ can be fetched from where its URL points', async () => {
  const code = 'import os\nos.makedirs("outputs/deep", exist_ok=True)\nopen("outputs/deep/a b.txt", "w").write("kept")'

  const { run, tenantId } = await dispatcher.run(ask({ request: python({ code }) }))

  const { berthId } = await dispatcher.get(tenantId, run.id)
  if (berthId === null) throw new Error('expected the berth of the run')
  const found = await backend.files.get({ berthId, area: 'run', runId: run.id }, 'deep/a b.txt', { signal })
  expect(found && (await textOf(found.body))).toBe('kept')
  expect(run.warnings).toEqual([])
})

test('a file of another tenant does not exist', async () => {
  const { berth } = await provisioner.ensureBerth(externalId('bea'), { signal })
  await backend.files.put({ berthId: berth.id, area: 'files' }, 'secret.csv', bodyOf('x'), { maxBytes: 9, signal })

  expect(await codeOf(dispatcher.run(ask({ request: python({ files: ['secret.csv'] }) })))).toBe('file_not_found')
})

test('an asynchronous run tells its output while it runs, and is canceled in the middle', async () => {
  const code = 'import time\nprint("begun", flush=True)\ntime.sleep(60)'
  const { run, tenantId } = await dispatcher.submit(ask({ request: python({ code, timeoutMs: 60_000 }) }))

  const types: string[] = []
  for await (const event of dispatcher.events(tenantId, run.id, { lastEventId: null, signal })) {
    types.push(event.type)
    if (event.type === 'stdout') await dispatcher.cancel(tenantId, run.id)
  }

  expect(types).toEqual(['run.created', 'run.started', 'stdout', 'run.completed'])
  const { run: ended } = await dispatcher.get(tenantId, run.id)
  expect(ended).toMatchObject({ status: 'canceled', logs: { stdout: 'begun\n' } })
})

test('a run beyond its time is ended with what was captured', async () => {
  const code = 'print("begun", flush=True)\nwhile True: pass'

  const { run } = await dispatcher.run(ask({ request: python({ code, timeoutMs: 2000 }) }))

  expect(run).toMatchObject({ status: 'timed_out', failure: { code: 'timeout' }, logs: { stdout: 'begun\n' } })
})

test('a deleted user leaves nothing behind, and rows and resources agree', async () => {
  const { berth, tenant } = await provisioner.ensureBerth(externalId('carl'), { signal })
  const { run } = await dispatcher.run(ask({ who: externalId('carl') }))

  const deleted = log.next('tenant.deleted', tenant.id)
  await provisioner.requestDeletion(externalId('carl'), null)
  await deleted

  expect((await collect(backend.berths.list({ signal }))).map(({ berthId }) => berthId)).not.toContain(berth.id)
  // A record that waits to be written is dropped with its batch.
  await expect.poll(() => codeOf(dispatcher.get(tenant.id, run.id))).toBe('not_found')
  expect(await codeOf(dispatcher.run(ask({ who: externalId('carl') })))).toBe('tenant_deleted')
  const { findings } = await provisioner.reconcile({ apply: false, signal })
  expect(findings.filter(({ action }) => action !== 'wait')).toEqual([])
})

test('a user deleted while their code runs leaves nothing of that run behind', async () => {
  const code = 'import time\nprint("begun", flush=True)\ntime.sleep(10)\nopen("outputs/late.txt", "w").write("late")'
  const { tenant } = await provisioner.ensureBerth(externalId('dora'), { signal })
  const begun = Promise.withResolvers<void>()
  const running = codeOf(
    dispatcher.run(
      ask({
        who: tenant.id,
        request: python({ code }),
        onEvent: ({ type }) => (type === 'stdout' ? begun.resolve() : undefined),
      }),
    ),
  )
  await begun.promise

  const deleted = log.next('tenant.deleted', tenant.id)
  await provisioner.requestDeletion(externalId('dora'), null)
  await deleted
  expect(await running).toBe('tenant_deleted')

  const { findings } = await provisioner.reconcile({ apply: false, signal })
  expect(findings.filter(({ action }) => action !== 'wait')).toEqual([])
})

test('a run that ends by itself after another server deleted its tenant makes no folder again', async () => {
  const code = 'import time\nprint("begun", flush=True)\ntime.sleep(0.5)\nopen("outputs/late.txt", "w").write("late")'
  const { tenant, berth } = await provisioner.ensureBerth(externalId('eve'), { signal })
  const begun = Promise.withResolvers<void>()
  const running = heedless.run(
    ask({
      who: tenant.id,
      request: python({ code }),
      onEvent: ({ type }) => (type === 'stdout' ? begun.resolve() : undefined),
    }),
  )
  await begun.promise

  // Beneath the provisioner of this server, so nothing stops it.
  const newTenantId = backend.ids.tenantId()
  await store.tenants.requestDeletion({ externalId: externalId('eve'), event: null, newTenantId, now: clock.now() })
  await backend.berths.destroy(berth.id, { signal })
  // It ran to its end: nobody stopped it.
  expect((await running).run.status).toBe('succeeded')

  expect(await backend.berths.find(berth.id, { signal })).toBeNull()
})
