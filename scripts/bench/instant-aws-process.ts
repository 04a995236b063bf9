/** The stand-in in a process of its own: tells its port to the process that started it. */
import type { AddressInfo } from 'node:net'
import { createInstantAws } from './instant-aws.ts'

const server = createInstantAws()
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))
process.once('disconnect', () => process.exit())
