// @module-tag aws-local
import { afterAll, beforeAll } from 'vitest'
import { createS3Files } from '../../../src/backends/lambda/s3-files.ts'
import { describeTenantFiles } from '../../contract/tenant-files.contract.ts'
import { type CellSite, openCellSite } from './cell-site.ts'

let site: CellSite
beforeAll(async () => {
  site = await openCellSite()
})
afterAll(() => site?.[Symbol.asyncDispose]())

// Two new berths in one bucket for every test: what one test leaves cannot be seen by another.
describeTenantFiles('lambda', async () => ({
  files: createS3Files(site.cell),
  ids: site.ids,
  berthId: site.ids.berthId(),
  otherBerthId: site.ids.berthId(),
  capabilities: { presigns: true },
  [Symbol.asyncDispose]: async () => {},
}))
