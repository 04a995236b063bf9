import { createRandomIds } from '../../src/main/random-ids.ts'
import { describeIds } from '../contract/ids.contract.ts'

describeIds('random', (time) => createRandomIds({ now: () => time }))
