/** Writes the generated pages of docs/ anew: `npm run docs`. Tests compare them with their sources. */
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { renderErrorsDoc } from './docs/errors-doc.ts'

const docs = resolve(import.meta.dirname, '../docs')
const pages = { 'errors.md': renderErrorsDoc() }
for (const [name, text] of Object.entries(pages)) {
  writeFileSync(resolve(docs, name), text)
  console.log(`wrote docs/${name}`)
}
