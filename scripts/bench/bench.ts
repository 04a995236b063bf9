/**
 * Measures Berth on this machine. Every figure that compares is a ratio of medians, its variants taken in turn.
 * `--only local,api,lambda,rollout,identity` measures those parts alone; `--json` prints one JSON object on stdout. Progress goes to stderr.
 */
import { parseArgs } from 'node:util'
import { measureApi } from './api.ts'
import { makeBerthSubject } from './berth-subject.ts'
import { type Figures, merge } from './figures.ts'
import { measureIdentity } from './identity.ts'
import { measureLambda } from './lambda.ts'
import { measureLatency } from './local-latency.ts'
import { measureLoad } from './local-load.ts'
import { toJson, toTable } from './report.ts'
import { measureRollout } from './rollout.ts'

const measureLocal = async (): Promise<readonly Figures[]> => {
  await using subject = await makeBerthSubject()
  return [...(await measureLatency(subject)), ...(await measureLoad(subject))]
}

const parts: Readonly<Record<string, () => Promise<readonly Figures[]>>> = {
  local: measureLocal,
  api: measureApi,
  lambda: measureLambda,
  rollout: measureRollout,
  identity: measureIdentity,
}

const { values } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'boolean' } } })
const wanted = values.only === undefined ? Object.keys(parts) : values.only.split(',')
const unknown = wanted.filter((name) => parts[name] === undefined)
if (unknown.length > 0) {
  console.error(`bench: --only expects names out of ${Object.keys(parts).join(', ')}; got ${unknown.join(', ')}`)
  process.exit(2)
}

const startedAt = performance.now()
const figures: Figures[] = []
for (const name of wanted) {
  console.error(`measuring ${name} …`)
  figures.push(...((await parts[name]?.()) ?? []))
}
const all = merge(figures)
console.log(values.json === true ? toJson(all, (performance.now() - startedAt) / 1000) : toTable(all))
