// @module-tag aws-local
import { afterAll, beforeAll } from 'vitest'
import { createLambdaDispatch } from '../../../src/backends/lambda/lambda-dispatch.ts'
import { createLambdaFleet } from '../../../src/backends/lambda/lambda-fleet.ts'
import { createS3Files } from '../../../src/backends/lambda/s3-files.ts'
import { quiet } from '../../contract/content.ts'
import { describeDispatch } from '../../contract/dispatch.contract.ts'
import { describeFleet } from '../../contract/fleet.contract.ts'
import { createEventLog } from '../../support/event-log.ts'
import { type CellSite, openCellSite } from './cell-site.ts'

let site: CellSite
beforeAll(async () => {
  site = await openCellSite()
})
afterAll(() => site?.[Symbol.asyncDispose]())

describeDispatch('lambda', async () => ({
  dispatch: createLambdaDispatch(site.cell, {
    clock: site.clock,
    events: createEventLog(),
    wanted: () => site.wantedImage.read({ signal: quiet() }),
    maxConcurrency: 2,
  }),
  files: createS3Files(site.cell),
  ids: site.ids,
  berthId: await site.makeBerth(),
  otherBerthId: await site.makeBerth(),
  capabilities: { ownTmp: true },
  [Symbol.asyncDispose]: async () => {},
}))

describeFleet('lambda', async () => ({
  fleet: createLambdaFleet(site.cell, site),
  berths: site.berths,
  files: createS3Files(site.cell),
  ids: site.ids,
  capabilities: { imagePerBerth: true },
  [Symbol.asyncDispose]: async () => {},
}))
