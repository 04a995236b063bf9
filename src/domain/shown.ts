const MAX_SHOWN = 60

/** A value as a short piece of JSON, for "got …". */
export const shown = (value: unknown): string => {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  const text = JSON.stringify(typeof value === 'string' ? value.slice(0, MAX_SHOWN) : value)
  return typeof value === 'string' && value.length > MAX_SHOWN ? `${text}… (${value.length} characters)` : text
}

const escapePart = (part: PropertyKey): string => String(part).replaceAll('~', '~0').replaceAll('/', '~1')

/** RFC 6901. */
export const pointerOf = (path: readonly PropertyKey[]): string => path.map((part) => `/${escapePart(part)}`).join('')
