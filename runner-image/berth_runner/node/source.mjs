// Reads the tenant's source: erases the types, loads it as an ES module of its own, and explains what cannot be loaded.
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Script } from 'node:vm'

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

// Module syntax has no meaning in a script; taken out without moving a line, the rest still has its faults.
const moduleSyntax = [
  [/^([ \t]*)import\b(?!\s*[.(])[^'"`;()]*?(['"])[^'"\n]*\2[^\n]*/gm, ''],
  [/^([ \t]*)export\s*(?:\*|\{[^}]*\})[^\n]*/gm, ''],
  [/^([ \t]*)export\s+default\b(?=\s+(?:async\s+)?(?:function|class)\s+[\w$])/gm, ''],
  [/^([ \t]*)export\s+default\b/gm, 'void'],
  [/^([ \t]*)export\b/gm, ''],
]
const keepLines = (text) => text.replace(/[^\n]/g, '')

/** import() does not tell the line of a syntax error, so look for the same error where V8 tells it; else no line. */
const explain = (error, source) => {
  const script = moduleSyntax.reduce(
    (text, [pattern, left]) => text.replace(pattern, (match, indent) => indent + left + keepLines(match)),
    source,
  )
  try {
    return { found: new Script(`(async () => {"use strict";${script}\n})`), line: null, token: '' }
  } catch (second) {
    return second.message === error.message ? place(second) : { line: null, token: '' }
  }
}

const toSourceError = (error, source) => {
  const { line, token } = explain(error, source)
  if (token === '@') return new SourceError('unsupported_syntax', 'Decorators cannot be erased', line)
  return new SourceError('invalid_source', error.message, line)
}

/** URL under which the code runs, so that relative imports find the named files. */
export const entryUrl = () => pathToFileURL(`${process.cwd()}/berth-code.ts`).href

/** Whether import() failed before any of the code ran. */
const isCompileError = (error, url) => {
  if (!(error instanceof SyntaxError)) return false
  const [, frame = ''] = error.stack.split('\n')
  return frame.includes('compileSourceTextModule') && !error.stack.includes(url)
}

/** Run the module; return its default export and its top-level `main`, exported or not. */
export const importSource = async (code, url) => {
  const source = eraseTypes(code)
  if (mayDefineMain.test(source)) {
    sources.set(url, `${source}\nexport { main as ${ALIAS} };`)
    try {
      const module = await import(url)
      return { main: module[ALIAS], default: module.default }
    } catch (error) {
      // A `main` inside something else; anything the code itself raised is not tried again.
      if (!isCompileError(error, url)) throw error
    }
  }
  sources.set(url, source)
  try {
    return { main: undefined, default: (await import(url)).default }
  } catch (error) {
    throw isCompileError(error, url) ? toSourceError(error, source) : error
  }
}
