import { describeBerths } from '../contract/berths.contract.ts'
import { quiet } from '../contract/content.ts'
import { describeDispatch } from '../contract/dispatch.contract.ts'
import { describeFleet } from '../contract/fleet.contract.ts'
import { describeTenantFiles } from '../contract/tenant-files.contract.ts'
import { createRoutedBackend } from '../../src/backends/routed-backend.ts'
import { makeBackend } from './local/subject.ts'
import { cellOf, idIn, makeRoutedFolders, openedCell } from './routed-subject.ts'

/** Two whole local backends, each with a runner of its own, as two cells. */
const makeRoutedBackend = async () => {
  const small = { spares: 1, nodeSpares: 0, maxConcurrency: 2 }
  const [one, two] = await Promise.all([makeBackend(small), makeBackend(small)])
  const cells = [openedCell('one', one), openedCell('two', two)]
  const routed = createRoutedBackend({ cells, cellOf: async (berthId) => cellOf(berthId), backend: 'local' })
  return {
    ...routed,
    ids: one.ids,
    [Symbol.asyncDispose]: async () => {
      await one[Symbol.asyncDispose]()
      await two[Symbol.asyncDispose]()
    },
  }
}

describeBerths('two cells behind one backend', makeRoutedFolders)

describeTenantFiles('two cells behind one backend', async () => {
  const folders = await makeRoutedFolders()
  const [berthId, otherBerthId] = [idIn('one', folders.ids), idIn('two', folders.ids)]
  await folders.berths.create(berthId, { signal: quiet() })
  await folders.berths.create(otherBerthId, { signal: quiet() })
  return { ...folders, berthId, otherBerthId, capabilities: { presigns: false } }
})

describeDispatch('two cells behind one backend', async () => {
  const backend = await makeRoutedBackend()
  const [berthId, otherBerthId] = [idIn('one', backend.ids), idIn('two', backend.ids)]
  await backend.berths.create(berthId, { signal: quiet() })
  await backend.berths.create(otherBerthId, { signal: quiet() })
  return { ...backend, berthId, otherBerthId, capabilities: { ownTmp: true } }
})

describeFleet('two cells behind one backend', async () => ({
  ...(await makeRoutedBackend()),
  capabilities: { imagePerBerth: false },
}))
