const isContainer = (value: unknown): value is object => typeof value === 'object' && value !== null

/** Whether objects and lists are nested more than `most` levels; level by level, because recursion has an end of its own. */
export const isDeeper = (value: unknown, most: number): boolean => {
  let level: readonly unknown[] = [value]
  for (let depth = 0; depth <= most; depth += 1) {
    const containers = level.filter(isContainer)
    if (containers.length === 0) return false
    level = containers.flatMap((container) => Object.values(container))
  }
  return true
}
