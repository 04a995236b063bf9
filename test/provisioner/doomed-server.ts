import { writeSync } from 'node:fs'
import { externalId, openProvisioningSite } from '../support/provisioning-site.ts'

import { openStacksFromEnvironment } from '../support/stacks-from-environment.ts'

// Signs tenants up, deletes some of them, and is killed when it comes to a step for the nth time. Says what it has acknowledged.
const [dataDir = '', deadlyStep = '', nth = '1', round = '0'] = process.argv.slice(2)

let left = Number(nth)
const dieAt = (step: string): void => {
  if (step !== deadlyStep) return
  left -= 1
  if (left === 0) process.kill(process.pid, 'SIGKILL')
}
const say = (word: string, uid: string) => void writeSync(1, `${word} ${uid}\n`)

// Folders, or stacks where the environment leads to AWS.
const berths = await openStacksFromEnvironment()
const site = await openProvisioningSite({ dataDir, fault: dieAt, spares: 1, leaseMs: 300, maxAttempts: 100, ...berths })
site.work()
for (let index = 0; ; index += 1) {
  const uid = `${round}-${index}`
  await site.provisioner.signUp(externalId(uid), null)
  say('signed-up', uid)
  dieAt('signedUp')
  if (index % 2 === 0) continue
  await site.provisioner.ensureBerth(externalId(uid), { signal: new AbortController().signal })
  dieAt('ensured')
  await site.provisioner.requestDeletion(externalId(uid), null)
  say('deleted', uid)
  dieAt('deletionRequested')
}
