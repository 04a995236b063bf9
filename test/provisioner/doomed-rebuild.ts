import { openProvisioningSite } from '../support/provisioning-site.ts'

// Rebuilds the rows of a lost store and is killed at the nth finding, before or after it is dealt with.
const [dataDir = '', step = '', nth = '1'] = process.argv.slice(2)

let left = Number(nth)
const dieAt = (now: string): void => {
  if (now !== step) return
  left -= 1
  if (left === 0) process.kill(process.pid, 'SIGKILL')
}

const site = await openProvisioningSite({
  dataDir,
  leaseMs: 300,
  over: (berths) => ({
    ...berths,
    standing: async (berthId, options) => {
      // Asked between the rows of a berth and the next one.
      dieAt('adopted')
      return berths.standing(berthId, options)
    },
  }),
})
site.work()
await site.provisioner.reconcile({
  apply: true,
  rebuild: true,
  signal: new AbortController().signal,
  onFinding: () => dieAt('told'),
})
