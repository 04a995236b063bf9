import { type MoveStep, openMovingSite } from '../support/moving-site.ts'

// Moves a tenant to and fro, and is killed when it comes to a step for the nth time.
const [dataDir = '', deadlyStep = '', nth = '1'] = process.argv.slice(2)

let left = Number(nth)
const dieAt = (step: MoveStep | 'requested' | 'moved'): void => {
  if (step !== deadlyStep) return
  left -= 1
  if (left === 0) process.kill(process.pid, 'SIGKILL')
}

const site = await openMovingSite({ dataDir, fault: dieAt, maxAttempts: 100 })
site.start()
const { signal } = new AbortController()
const { tenantId } = await site.settled('ada')
for (let to = 'lambda-shared'; ; to = to === 'lambda' ? 'lambda-shared' : 'lambda') {
  const moved = site.log.next('tenant.moved')
  const ended = site.log.next('berth.destroyed')
  await site.provisioner.move(tenantId, { to, deleteFiles: false, signal })
  dieAt('requested')
  await moved
  dieAt('moved')
  await ended
}
