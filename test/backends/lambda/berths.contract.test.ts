// @module-tag aws-local
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll } from 'vitest'
import { filesPrefixOf } from '../../../src/backends/lambda/names.ts'
import { createS3Files } from '../../../src/backends/lambda/s3-files.ts'
import { createStackBerths } from '../../../src/backends/lambda/stack-berths.ts'
import { createRandomIds } from '../../../src/main/random-ids.ts'
import { createSystemClock } from '../../../src/main/system-clock.ts'
import { describeBerths } from '../../contract/berths.contract.ts'
import { type AwsCell, openAwsCell, quickPoll } from '../../support/aws-cell.ts'
import { type AwsLocal, startAwsLocal } from '../../support/aws-local.ts'

const clock = createSystemClock()
let aws: AwsLocal
let home: AwsCell

beforeAll(async () => {
  aws = await startAwsLocal()
  home = await openAwsCell(aws)
})
afterAll(async () => {
  await home?.[Symbol.asyncDispose]()
  await aws?.[Symbol.asyncDispose]()
})

describeBerths('lambda', async () => ({
  berths: createStackBerths({ ...home, clock }, { pollMs: quickPoll }),
  files: createS3Files(home.cell),
  ids: createRandomIds(clock),
  // As a destroy leaves it that was killed after the stack was gone.
  makePartial: async (berthId) => {
    const { cell } = home
    const Key = `${filesPrefixOf(berthId)}left.txt`
    await cell.clients.s3.send(new PutObjectCommand({ Bucket: cell.foundation.bucket, Key, Body: 'left' }))
  },
  [Symbol.asyncDispose]: async () => undefined,
}))
