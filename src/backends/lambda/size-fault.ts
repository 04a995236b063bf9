export interface MostSize {
  /** Levels of lists and objects. */
  readonly depth: number
  /** One for every value, and the characters of texts and names. Its JSON has at least as many bytes. */
  readonly size: number
}

const isContainer = (value: unknown): value is object => typeof value === 'object' && value !== null

/** What a value adds, its inner values counted as one each. */
const sizeOf = (value: unknown): number => {
  if (typeof value === 'string') return value.length
  if (Array.isArray(value)) return value.length
  return isContainer(value) ? Object.keys(value).reduce((sum, name) => sum + 1 + name.length, 0) : 0
}

/** What of a parsed JSON value is too much; null when nothing is. Without recursion, and never goes on beyond the size. */
export const findSizeFault = (root: unknown, most: MostSize): string | null => {
  let level: unknown[] = [root]
  let size = 1
  for (let depth = 0; level.length > 0; depth += 1) {
    const next: unknown[] = []
    for (const value of level) {
      size += sizeOf(value)
      if (size > most.size) return 'more than the limits allow'
      if (!isContainer(value)) continue
      if (depth >= most.depth) return `more than ${most.depth} levels`
      for (const inner of Array.isArray(value) ? value : Object.values(value)) next.push(inner)
    }
    level = next
  }
  return null
}
