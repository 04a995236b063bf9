import { execFile } from 'node:child_process'
import { expect } from 'vitest'
import { collect, quiet } from '../contract/content.ts'
import { externalId, type ProvisioningSite } from './provisioning-site.ts'

const signal = quiet()
export const SPARES = 1

export interface Round {
  readonly step: string
  readonly nth: number
  readonly index: number
  /** When it resolves the server is killed, wherever it is. */
  readonly kill?: Promise<void>
}

export interface Acknowledged {
  readonly signedUp: readonly string[]
  readonly deleted: ReadonlySet<string>
}

/** Runs a server until it is killed, by itself or by `kill`, and reads what it has acknowledged. */
export const runUntilKilled = (
  script: string,
  dataDir: string,
  { step, nth, index, kill }: Round,
): Promise<Acknowledged> =>
  new Promise((resolve, reject) => {
    const child = execFile(process.execPath, [script, dataDir, step, `${nth}`, `${index}`], (error, stdout, stderr) => {
      if (error?.signal !== 'SIGKILL') return reject(new Error(`expected a death by SIGKILL: ${stderr}`))
      const lines = stdout.trim().split('\n')
      const named = (word: string) =>
        lines.flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []))
      resolve({ signedUp: named('signed-up'), deleted: new Set(named('deleted')) })
    })
    void kill?.then(() => child.kill('SIGKILL'))
  })

/** Works until nothing is left to do. */
export const recover = async (site: ProvisioningSite): Promise<void> => {
  const stop = site.work()
  await expect
    .poll(async () => ({ ...(await site.store.berths.countByState()) }))
    .toMatchObject({ provisioning: 0, deprovisioning: 0, spare: SPARES })
  await expect
    .poll(async () => (await site.store.tenants.list({ cursor: null, limit: 1, state: 'deprovisioning' })).entries)
    .toEqual([])
  await stop()
}

const berthRows = async (site: ProvisioningSite) => {
  const { entries } = await site.store.berths.list({ cursor: null, limit: 10_000, states: null })
  return entries
}

/** What must hold after every crash; each sentence is a violation. */
export const violationsOf = async (
  site: ProvisioningSite,
  { signedUp, deleted }: Acknowledged,
): Promise<readonly string[]> => {
  const violations: string[] = []
  const rows = await berthRows(site)
  const living = rows.filter(({ state }) => state !== 'deleted')
  for (const uid of signedUp) {
    const found = await site.store.tenants.findByExternalId(externalId(uid))
    if (found === null) violations.push(`the sign-up of ${uid} was lost`)
    else if (deleted.has(uid) && (found.state !== 'deleted' || found.receipt === null))
      violations.push(`${uid} was deleted and is ${found.state}`)
    else if (found.state === 'active') {
      const own = living.filter(({ tenantId }) => tenantId === found.id)
      if (own.length !== 1 || own[0]?.state !== 'ready') violations.push(`${uid} has ${own.length} berths`)
    }
  }
  const resources = await collect(site.berths.list({ signal }))
  const owned = new Set(living.map(({ id }) => id))
  for (const { berthId, partial } of resources)
    if (!owned.has(berthId)) violations.push(`nobody owns the resources of ${berthId}`)
    else if (partial) violations.push(`the resources of ${berthId} are incomplete`)
  if (resources.length < living.length) violations.push('a berth has no resources')
  return violations
}
