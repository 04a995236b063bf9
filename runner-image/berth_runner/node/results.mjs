// The results of one run: what the code displayed and its main value, together within one limit.
import { inspect } from 'node:util'
import { jsonBytes, shorten } from './frame.mjs'
import { NotJsonError, TooLargeError, toJson } from './json-value.mjs'

const MAX_TEXT = 16_384
const inspectOptions = { depth: 6, maxArrayLength: 200, maxStringLength: MAX_TEXT, breakLength: 100 }

const toText = (value) => {
  try {
    return shorten(inspect(value, inspectOptions), MAX_TEXT)
  } catch {
    return `<${typeof value}; it cannot be shown as text>`
  }
}

/** The forms of a value, and why it has no JSON form when it has none. */
const toBundle = (value, maxBytes) => {
  try {
    return { forms: { json: toJson(value, maxBytes) }, problem: null }
  } catch (error) {
    if (error instanceof TooLargeError) throw error
    const reason = error instanceof NotJsonError ? error.message : '$ cannot be read: a property of it raises'
    return { forms: {}, problem: reason }
  }
}

export const createResults = (maxBytes) => {
  const items = []
  let bytes = '[]'.length
  let tooLarge = null

  const refuse = (size) => {
    tooLarge ??= `the results take ${size} bytes; the limit is ${maxBytes}`
    return null
  }

  /** Add one value; return why it is not JSON. What does not fit is left out and remembered. */
  const add = (value, isMain) => {
    try {
      const { forms, problem } = toBundle(value, Math.max(maxBytes - bytes, 0))
      const bundle = { isMain, text: toText(value), ...forms }
      const size = jsonBytes(bundle) + (items.length > 0 ? 1 : 0)
      if (bytes + size > maxBytes) return refuse(bytes + size)
      items.push(bundle)
      bytes += size
      return problem
    } catch (error) {
      if (error instanceof TooLargeError) return refuse(`more than ${maxBytes}`)
      throw error
    }
  }

  return {
    items,
    tooLarge: () => tooLarge,
    display: (...values) => {
      for (const value of values) add(value, false)
    },
    /** Add the value of the run; where it must be JSON and is not, return why. */
    setMain: (value, mustBeJson) => {
      const problem = add(value, true)
      if (problem === null || !mustBeJson) return null
      items.pop()
      return problem
    },
  }
}
