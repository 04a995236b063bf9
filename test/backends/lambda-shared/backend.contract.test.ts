// @module-tag aws-local
import { afterAll, beforeAll } from 'vitest'
import { createLambdaDispatch } from '../../../src/backends/lambda/lambda-dispatch.ts'
import { createLambdaFleet } from '../../../src/backends/lambda/lambda-fleet.ts'
import { createCellFleet } from '../../../src/main/deployment/cell-fleet.ts'
import { describeBerths } from '../../contract/berths.contract.ts'
import { quiet } from '../../contract/content.ts'
import { describeDispatch } from '../../contract/dispatch.contract.ts'
import { describeFleet } from '../../contract/fleet.contract.ts'
import { openSharedSite, type SharedSite } from './shared-site.ts'

const signal = quiet()
let site: SharedSite
beforeAll(async () => {
  site = await openSharedSite()
})
afterAll(() => site?.[Symbol.asyncDispose]())

const partsOf = ({ berths, dispatch, fleet, files, ids }: SharedSite) => ({ berths, dispatch, fleet, files, ids })
const left = { [Symbol.asyncDispose]: async () => {} }
const made = async () => {
  const berthId = site.ids.berthId()
  await site.berths.create(berthId, { signal })
  return berthId
}

describeBerths('lambda-shared', async () => ({
  ...partsOf(site),
  ...left,
  makePartial: (berthId) => site.berths.create(berthId, { signal }),
  capabilities: { files: false, parts: false },
}))

describeDispatch('lambda-shared', async () => ({
  ...partsOf(site),
  ...left,
  berthId: await made(),
  otherBerthId: await made(),
  capabilities: { ownTmp: true },
}))

describeFleet('lambda-shared', async () => ({
  ...partsOf(site),
  ...left,
  capabilities: { imagePerBerth: false },
}))

describeFleet('lambda-shared, as rollouts see a cell', async () => {
  const { cell, clock, ids, events, home } = site
  const wanted = () => home.wantedImage.read({ signal })
  const own = {
    fleet: createLambdaFleet(cell, { clock, ids }),
    dispatch: createLambdaDispatch(cell, { clock, events, wanted, maxConcurrency: 2 }),
  }
  const { fleet } = createCellFleet({ own, shared: site })
  return { ...partsOf(site), ...left, fleet, capabilities: { imagePerBerth: false, bringsAll: true } }
})
