// What a spare does before its request comes: every path that the first run would otherwise pay for.
import { Console } from 'node:console'
import { Writable } from 'node:stream'
import { describe } from './failure.mjs'
import { jsonBytes } from './frame.mjs'
import { createResults } from './results.mjs'
import { importSource } from './source.mjs'

const sample = `interface Row { name: string; value: number }
const rows: Row[] = [{ name: 'a', value: 1 }]
export default function main(): number { return rows.reduce((sum, row: Row) => sum + row.value, 0) }`

export const warmUp = async () => {
  const silent = new Console({ stdout: new Writable({ write: (_chunk, _encoding, done) => done() }) })
  silent.log('warm', { up: [1, 2, 3] })
  for (let i = 0; i < 5; i += 1) await importSource(sample, `berth:warm-${i}`)
  const results = createResults(1024)
  results.setMain({ rows: [{ name: 'a', value: 1 }] }, true)
  jsonBytes(results.items)
  describe(new Error('warm'), 'file:///warm/berth-code.ts')
}
