/**
 * `node scripts/check-tag.ts --tag v1.2.3 [--repository <owner>/<name>]`: a release is called as the package that it publishes, and the package names
 * the repository that it comes from, or npm refuses its provenance.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { tag: { type: 'string', default: '' }, repository: { type: 'string' } } })
const described = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as {
  readonly version: string
  readonly repository?: string | { readonly url?: string }
}

const refuse = (reason: string): void => {
  console.error(`check-tag: ${reason}`)
  process.exitCode = 1
}

const { version, repository } = described
if (values.tag !== `v${version}`)
  refuse(`expected the tag v${version}, as package.json says, got ${values.tag || 'none'}`)

const named = (typeof repository === 'string' ? repository : repository?.url) ?? ''
const wanted = `git+https://github.com/${values.repository}.git`
if (values.repository !== undefined && named !== wanted)
  refuse(
    `expected ${wanted} as repository.url in package.json, got ${named || 'none'}; npm takes no provenance from another repository. ` +
      `Write it there: npm pkg set repository.type=git repository.url=${wanted}`,
  )
