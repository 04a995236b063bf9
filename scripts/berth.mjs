#!/usr/bin/env node
// Starts the CLI: from the sources in a checkout, from dist/ in the published package (Node strips no types below node_modules).
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const entry = [at('../src/cli/berth.ts'), at('../dist/cli/berth.js')].find((path) => existsSync(path))
const major = Number(process.versions.node.split('.')[0])
const ownNode = at('../node_modules/node/bin/node')

if (entry === undefined) {
  console.error('berth: neither src/cli/berth.ts nor dist/cli/berth.js is there; install the package again')
  process.exit(70)
}
if (major >= 24) {
  await import(entry)
} else if (existsSync(ownNode)) {
  // A checkout brings its own Node 24, whatever the machine has.
  const { status, signal } = spawnSync(ownNode, [entry, ...process.argv.slice(2)], { stdio: 'inherit' })
  process.exit(status ?? (signal === null ? 70 : 128))
} else {
  console.error(`berth: Node 24 or newer is needed, this is ${process.version}; in a checkout run: sh scripts/setup.sh`)
  process.exit(78)
}
