/** A server in a process of its own, with the settings of its environment: tells its address, and of every berth that is ready. */
import { compose } from '../../src/main/compose.ts'
import { parseConfig } from '../../src/main/config.ts'

const composed = await compose(parseConfig(process.env), {
  subscribers: [({ code }) => code === 'berth.ready' && process.send?.({ ready: 1 })],
})
process.send?.({ url: composed.url })
process.once('SIGTERM', () => void composed.stop().then(() => process.exit()))
process.once('disconnect', () => process.exit())
