// What the code raised, told in the tenant's own lines; thrown values may be as hostile as the rest of the code.
import { inspect } from 'node:util'
import { shorten } from './frame.mjs'

// A character takes up to six bytes of JSON; the supervisor gives an error 64 KiB in all.
const MAX_VALUE = 2048
const MAX_TRACEBACK = 6144
const MAX_CAUSES = 5
const harness = new URL('.', import.meta.url).href

const read = (value, key) => {
  try {
    const found = value[key]
    return typeof found === 'string' ? found : undefined
  } catch {
    return undefined
  }
}

const isErrorLike = (value) => {
  try {
    return value instanceof Error
  } catch {
    return false
  }
}

const toText = (value) => {
  try {
    return typeof value === 'string' ? value : inspect(value, { depth: 2 })
  } catch {
    return '(it cannot be shown as text)'
  }
}

const isFrame = (line) => /^\s+at /.test(line)
const isForeign = (line) => line.includes(harness) || line.includes('node:') || line.includes('<anonymous>')

/** The stack with the tenant's frames only, and names relative to the working directory. */
const ownStack = (error, entry) => {
  const stack = read(error, 'stack') ?? ''
  const folder = new URL('.', entry).href
  const kept = stack.split('\n').filter((line) => !isFrame(line) || (line.includes(folder) && !isForeign(line)))
  return kept.join('\n').replaceAll(entry, 'code.ts').replaceAll(folder, '')
}

const causes = (error) => {
  const found = []
  try {
    for (let next = error.cause; isErrorLike(next) && found.length < MAX_CAUSES; next = next.cause) found.push(next)
  } catch {
    // A cause that cannot be read is no cause.
  }
  return found
}

const lineOf = (stack) => {
  const frame = stack.split('\n').find((line) => isFrame(line) && /code\.ts:\d+:\d+\)?$/.test(line))
  const line = (frame?.match(/code\.ts:(\d+):\d+\)?$/) ?? stack.match(/^code\.ts:(\d+)\n/))?.[1]
  return line === undefined ? null : Number(line)
}

/** {name, value, traceback, line}; never raises, whatever the thrown value does when it is read. */
export const describe = (error, entry) => {
  if (!isErrorLike(error)) {
    const value = shorten(toText(error), MAX_VALUE)
    return { name: error === null ? 'null' : typeof error, value, traceback: '', line: null }
  }
  const stack = ownStack(error, entry)
  const chain = causes(error).map((cause) => `\nCaused by: ${ownStack(cause, entry)}`)
  return {
    name: shorten(read(error, 'name') ?? 'Error', 200),
    value: shorten(read(error, 'message') ?? '', MAX_VALUE),
    traceback: shorten(stack + chain.join(''), MAX_TRACEBACK),
    line: lineOf(stack),
  }
}
