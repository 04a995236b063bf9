import { existsSync } from 'node:fs'
import { quiet } from '../../contract/content.ts'
import { describeDispatch } from '../../contract/dispatch.contract.ts'
import { describeFleet } from '../../contract/fleet.contract.ts'
import { guardWorks } from './guard-works.ts'
import { makeBackend } from './subject.ts'

/** Every rung of the sandbox ladder that this machine has; the last one is no sandbox and must be asked for. */
const rungs = [
  { level: 'namespaces', unsafe: false },
  ...(existsSync('/usr/bin/bwrap') ? [{ level: 'bubblewrap', unsafe: false }] : []),
  ...(guardWorks() ? [{ level: 'guard', unsafe: true }] : []),
]

for (const rung of rungs) {
  describeDispatch(`local, ${rung.level}`, async () => {
    const backend = await makeBackend(rung)
    const [berthId, otherBerthId] = [backend.ids.berthId(), backend.ids.berthId()]
    await backend.berths.create(berthId, { signal: quiet() })
    await backend.berths.create(otherBerthId, { signal: quiet() })
    return { ...backend, berthId, otherBerthId, capabilities: { ownTmp: !rung.unsafe } }
  })
}

describeFleet('local', async () => ({ ...(await makeBackend()), capabilities: { imagePerBerth: false } }))
