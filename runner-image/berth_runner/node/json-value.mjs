// Strict JSON: a value either goes through without any loss, or the first place that does not is named.
import { types } from 'node:util'

const MAX_DEPTH = 200
const identifier = /^[\p{L}_$][\p{L}\p{N}_$]*$/u

/** The value cannot be sent as JSON; the message names the place and the reason. */
export class NotJsonError extends Error {}
/** The value is certainly larger than the limit. */
export class TooLargeError extends Error {}

const remedies = {
  Map: '; return Object.fromEntries(map)',
  Set: '; return [...set]',
  Promise: '; await it',
  Error: '; return its message',
}

const isRefused = (value) =>
  types.isMap(value) ||
  types.isSet(value) ||
  types.isPromise(value) ||
  types.isRegExp(value) ||
  types.isNativeError(value) ||
  types.isAnyArrayBuffer(value) ||
  types.isDataView(value) ||
  types.isWeakMap(value) ||
  types.isWeakSet(value) ||
  types.isProxy(value)

const className = (value) => {
  const name = Object.getPrototypeOf(value)?.constructor?.name
  return typeof name === 'string' && name !== '' ? name : 'object'
}

const step = (name) => (identifier.test(name) ? `.${name}` : `[${JSON.stringify(name.slice(0, 100))}]`)

/** Return plain JSON data equal to `value`. Dates become ISO 8601 text, typed arrays become arrays, toJSON is followed. */
export const toJson = (value, maxBytes) => {
  const way = []
  const open = new Set()
  let left = maxBytes

  const spend = (size) => {
    left -= size
    if (left < 0) throw new TooLargeError()
  }
  const refuse = (reason) => new NotJsonError(`$${way.join('')} ${reason}`)

  const inside = (name, item) => {
    way.push(name)
    const result = convert(item)
    way.pop()
    return result
  }

  const text = (item) => {
    spend(item.length)
    if (!item.isWellFormed()) throw refuse('is text with half a surrogate pair, which UTF-8 cannot hold')
    return item
  }

  const number = (item) => {
    if (!Number.isFinite(item)) throw refuse(`is ${item}, which JSON does not have; return null instead`)
    // From 1e21 on JavaScript prints an exponent, so no reader takes the digits for exact.
    if (Number.isInteger(item) && !Number.isSafeInteger(item) && Math.abs(item) < 1e21)
      throw refuse('is an integer beyond ±(2^53-1), which JSON readers round; return String(value)')
    return item
  }

  const array = (items) => {
    spend(items.length)
    const result = []
    for (let i = 0; i < items.length; i += 1) result.push(inside(`[${i}]`, items[i]))
    return result
  }

  const record = (item) => {
    if (Object.getOwnPropertySymbols(item).length > 0) throw refuse('has a key that is a symbol')
    const result = Object.create(null)
    for (const key of Object.keys(item)) result[text(key)] = inside(step(key), item[key])
    return result
  }

  const object = (item) => {
    if (types.isDate(item)) {
      if (Number.isNaN(item.getTime())) throw refuse('is an invalid Date')
      return item.toISOString()
    }
    if (Array.isArray(item)) return array(item)
    if (types.isTypedArray(item)) return array(item)
    if (isRefused(item)) throw refuse(`is a ${className(item)}, which JSON does not have${remedies[className(item)] ?? ''}`)
    if (typeof item.toJSON === 'function') return convert(item.toJSON())
    if (types.isBoxedPrimitive(item)) return convert(item.valueOf())
    return record(item)
  }

  const nested = (item) => {
    if (open.has(item)) throw refuse('contains itself')
    if (open.size >= MAX_DEPTH) throw refuse(`is nested deeper than ${MAX_DEPTH} levels`)
    open.add(item)
    const result = object(item)
    open.delete(item)
    return result
  }

  const convert = (item) => {
    spend(1)
    switch (typeof item) {
      case 'string':
        return text(item)
      case 'number':
        return number(item)
      case 'boolean':
        return item
      case 'object':
        return item === null ? null : nested(item)
      case 'bigint':
        throw refuse('is a BigInt, which JSON does not have; return String(value)')
      default:
        throw refuse(`is ${typeof item === 'undefined' ? 'undefined' : `a ${typeof item}`}, which JSON does not have`)
    }
  }

  return convert(value)
}
