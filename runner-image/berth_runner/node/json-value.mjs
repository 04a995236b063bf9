// Strict JSON: a value either goes through without any loss, or the first place that does not is named.
import { types } from 'node:util'

const MAX_DEPTH = 100
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
  types.isWeakSet(value)

const className = (value) => {
  const name = Object.getPrototypeOf(value)?.constructor?.name
  return typeof name === 'string' && name !== '' ? name : 'object'
}

const dot = (name) => (identifier.test(name) ? `.${name}` : `[${JSON.stringify(name.slice(0, 100))}]`)

/** One conversion: remembers the way down (for cycles) and how many bytes the JSON has at least. */
class Walk {
  #way = []
  #open = new Set()
  #left

  constructor(maxBytes) {
    this.#left = maxBytes
  }

  convert(value) {
    this.#spend(1)
    switch (typeof value) {
      case 'string':
        return this.#text(value)
      case 'number':
        return this.#number(value)
      case 'boolean':
        return value
      case 'object':
        return value === null ? null : this.#nested(value)
      case 'undefined':
        throw this.#refuse('is undefined, which JSON does not have; return null instead')
      default:
        throw this.#refuse(`is a ${typeof value}, which JSON does not have; return String(value)`)
    }
  }

  #spend(size) {
    this.#left -= size
    if (this.#left < 0) throw new TooLargeError()
  }

  #refuse(reason) {
    return new NotJsonError(`$${this.#way.join('')} ${reason}`)
  }

  #step(name, value) {
    this.#way.push(name)
    const result = this.convert(value)
    this.#way.pop()
    return result
  }

  #text(value) {
    this.#spend(value.length)
    if (!value.isWellFormed()) throw this.#refuse('is text with half a surrogate pair, which UTF-8 cannot hold')
    return value
  }

  #number(value) {
    if (!Number.isFinite(value)) throw this.#refuse(`is ${value}, which JSON does not have; return null instead`)
    // From 1e21 on JavaScript prints an exponent, so no reader takes the digits for exact.
    if (Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < 1e21)
      throw this.#refuse('is an integer beyond ±(2^53-1), which JSON readers round; return String(value)')
    return value
  }

  #nested(value) {
    if (this.#open.has(value)) throw this.#refuse('contains itself')
    if (this.#open.size >= MAX_DEPTH) throw this.#refuse(`is nested deeper than ${MAX_DEPTH} levels`)
    this.#open.add(value)
    const result = this.#object(value)
    this.#open.delete(value)
    return result
  }

  #object(value) {
    if (types.isProxy(value)) throw this.#refuse('is a Proxy, which JSON does not have; return a copy')
    if (types.isDate(value)) return this.#date(value)
    if (Array.isArray(value) || types.isTypedArray(value)) return this.#array(value)
    if (isRefused(value)) {
      const name = className(value)
      throw this.#refuse(`is a ${name}, which JSON does not have${remedies[name] ?? ''}`)
    }
    if (typeof value.toJSON === 'function') return this.convert(value.toJSON())
    return types.isBoxedPrimitive(value) ? this.convert(value.valueOf()) : this.#record(value)
  }

  #date(value) {
    if (Number.isNaN(value.getTime())) throw this.#refuse('is an invalid Date; return null instead')
    return value.toISOString()
  }

  #array(values) {
    this.#spend(values.length)
    const result = []
    // A hole in the array counts as undefined.
    for (let i = 0; i < values.length; i += 1) result.push(this.#step(`[${i}]`, values[i]))
    return result
  }

  #record(value) {
    if (Object.getOwnPropertySymbols(value).length > 0) throw this.#refuse('has a key that is a symbol')
    const result = Object.create(null)
    for (const key of Object.keys(value)) result[this.#text(key)] = this.#step(dot(key), value[key])
    return result
  }
}

/** Return plain JSON data equal to `value`: dates become ISO 8601 text, typed arrays arrays, and toJSON is followed. */
export const toJson = (value, maxBytes) => new Walk(maxBytes).convert(value)
