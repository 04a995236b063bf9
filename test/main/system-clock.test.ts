import { createSystemClock } from '../../src/main/system-clock.ts'
import { describeClock } from '../contract/clock.contract.ts'

describeClock('of this machine', createSystemClock)
