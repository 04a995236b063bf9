import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { collect, quiet } from '../contract/content.ts'
import { type MovingSite, openMovingSite } from '../support/moving-site.ts'

const script = join(import.meta.dirname, 'doomed-moving-server.ts')

const runUntilKilled = (dataDir: string, step: string, nth: number): Promise<void> =>
  new Promise((resolve, reject) => {
    execFile(process.execPath, [script, dataDir, step, `${nth}`], (error, _, stderr) => {
      if (error?.signal === 'SIGKILL') resolve()
      else reject(new Error(`expected a death by SIGKILL: ${stderr}`))
    })
  })

/** What must hold when nothing is left to do: one ready berth of the tenant, and resources of that one alone. */
const stateOf = async (site: MovingSite) => {
  const { entries } = await site.store.tenants.list({ cursor: null, limit: 10, state: 'active' })
  const { provisioning, ready, failed, deprovisioning } = await site.store.berths.countByState()
  const [own] = await Promise.all(entries.map(({ id }) => site.own(id)))
  const resources = await collect(site.backend.berths.list({ signal: quiet() }))
  return {
    tenants: entries.length,
    berths: { provisioning, ready, failed, deprovisioning },
    own: own?.state,
    resources: resources.map(({ berthId, partial }) => ({ mine: berthId === own?.id, partial })),
  }
}

const settled = {
  tenants: 1,
  berths: { provisioning: 0, ready: 1, failed: 0, deprovisioning: 0 },
  own: 'ready',
  resources: [{ mine: true, partial: false }],
}

// The first time that something is made is the sign-up itself.
const rounds = [
  ['requested', 1],
  ['create', 2],
  ['created', 2],
  ['selfTest', 2],
  ['selfTested', 3],
  ['moved', 1],
  ['destroy', 1],
  ['destroyed', 2],
] as const

test.each(rounds)(
  'a server killed at %s, time %i, of a move leaves exactly one ready berth and no resource without an owner',
  async (step, nth) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'berth-move-crash-'))
    try {
      await runUntilKilled(dataDir, step, nth)

      await using site = await openMovingSite({ dataDir })
      site.start()

      await expect.poll(() => stateOf(site)).toEqual(settled)
    } finally {
      await rm(dataDir, { recursive: true, maxRetries: 5 })
    }
  },
)

test('control: a second berth, or resources that nobody owns, would be seen', async () => {
  const made = Promise.withResolvers<void>()
  const mayGoOn = Promise.withResolvers<void>()
  let isMoving = false
  await using site = await openMovingSite({
    fault: async (step) => {
      if (step !== 'selfTest' || !isMoving) return
      made.resolve()
      await mayGoOn.promise
    },
  })
  site.start()
  const { tenantId } = await site.settled('ada')
  expect(await stateOf(site)).toEqual(settled)

  isMoving = true
  await site.provisioner.move(tenantId, { to: 'lambda-shared', deleteFiles: false, signal: quiet() })
  await made.promise

  expect(await stateOf(site)).toMatchObject({ berths: { provisioning: 1, ready: 1 }, own: 'ready' })
  expect((await stateOf(site)).resources).toContainEqual({ mine: false, partial: false })
  mayGoOn.resolve()
})
