/**
 * Signs users up and queues runs until it is killed, and prints each pair on a line of its own.
 * Arguments: JSON config of the store, `acknowledged` or `promised`.
 */
import { openStore } from '../../src/store/open-store.ts'
import { clock, ids, newRun, request, signUpOptions, storedRun } from '../contract/store-site.ts'

const [config = '{}', mode] = process.argv.slice(2)
const store = await openStore({ ...JSON.parse(config), clock })

const write = async (): Promise<void> => {
  const options = signUpOptions(ids.secret(), { maxBerths: 1_000_000 })
  const run = newRun()
  const line = `${JSON.stringify({ tenantId: options.newTenantId, runId: run.id })}\n`
  // The control: who answers before the store has said so, loses what was answered.
  if (mode === 'promised') process.stdout.write(line)
  const { tenant } = await store.tenants.signUp(options)
  await store.runs.insert({ stored: storedRun(tenant.id, run), request, idempotency: null, lease: null })
  if (mode === 'acknowledged') process.stdout.write(line)
}

const writeForEver = async (): Promise<never> => {
  for (;;) await write()
}
await Promise.all(Array.from({ length: 8 }, writeForEver))
