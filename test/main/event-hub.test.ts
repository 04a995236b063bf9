import { createEventHub } from '../../src/main/event-hub.ts'
import { describeEvents } from '../contract/events.contract.ts'

describeEvents('hub', createEventHub)
