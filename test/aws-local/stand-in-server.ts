/** A stand-in with one function that has run; says where it is and waits to be killed. */
import { openSite } from './aws-site.ts'

const site = await openSite()
await site.invoke(await site.makeFunction())
console.log(JSON.stringify({ endpoint: site.aws.endpoint, emulatorPid: site.aws.standIn.emulatorPid }))
setInterval(() => {}, 60_000)
