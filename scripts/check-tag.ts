/** `node scripts/check-tag.ts --tag v1.2.3`: a release is called as the package that it publishes. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { tag: { type: 'string', default: '' } } })
const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as {
  version: string
}
if (values.tag !== `v${version}`) {
  console.error(`check-tag: expected the tag v${version}, as package.json says, got ${values.tag || 'none'}`)
  process.exitCode = 1
}
