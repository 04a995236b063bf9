// Reads the tenant's source: erases the types, loads it as an ES module of its own, and explains what cannot be loaded.
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { pathToFileURL } from 'node:url'
import { SourceTextModule } from 'node:vm'

const ALIAS = '__berth_main__'
const mayDefineMain = /\bfunction\s+main\b|\b(?:const|let|var)\s+main\b/

/** The source is not what can be run: `code` of the outcome, and the line it is about. */
export class SourceError extends Error {
  constructor(code, message, line) {
    super(message)
    this.code = code
    this.line = line
  }
}

const sources = new Map()
registerHooks({
  resolve: (specifier, context, next) =>
    sources.has(specifier) ? { url: specifier, format: 'module', shortCircuit: true } : next(specifier, context),
  load: (url, context, next) =>
    sources.has(url) ? { format: 'module', source: sources.get(url), shortCircuit: true } : next(url, context),
})

/** V8 and the type eraser put `name:line`, the line itself and a caret above the message. */
const place = (error) => {
  const [head = '', source = '', caret = ''] = String(error.stack).split('\n')
  const line = head.match(/:(\d+)$/)?.[1]
  return { line: line === undefined ? null : Number(line), token: source[caret.indexOf('^')] ?? '' }
}

export const eraseTypes = (code) => {
  try {
    return stripTypeScriptTypes(code)
  } catch (error) {
    const { line } = place(error)
    if (error.code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX')
      throw new SourceError('unsupported_syntax', error.message, line)
    throw new SourceError('invalid_source', error.message, line)
  }
}

/** Throw where the module cannot be compiled; import() itself does not tell the line. */
const assertCompiles = (source) => {
  try {
    return new SourceTextModule(source, { identifier: 'code.ts' })
  } catch (error) {
    const { line, token } = place(error)
    if (token === '@') throw new SourceError('unsupported_syntax', 'Decorators cannot be erased', line)
    throw new SourceError('invalid_source', error.message, line)
  }
}

const compiles = (source) => {
  try {
    return assertCompiles(source) !== undefined
  } catch {
    return false
  }
}

/** URL under which the code runs, so that relative imports find the named files. */
export const entryUrl = () => pathToFileURL(`${process.cwd()}/berth-code.ts`).href

/** Run the module; return its default export and its top-level `main`, exported or not. */
export const importSource = async (code, url) => {
  const source = eraseTypes(code)
  const aliased = `${source}\nexport { main as ${ALIAS} };`
  const hasMain = mayDefineMain.test(source) && compiles(aliased)
  if (!hasMain) assertCompiles(source)
  sources.set(url, hasMain ? aliased : source)
  const module = await import(url)
  return { main: module[ALIAS], default: module.default }
}
