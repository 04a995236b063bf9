import { definitionOf, isSchemaObject, schemaKeywords } from './schema-faults.ts'

export interface RuleCount {
  /** Rules with every `$ref` written out. */
  readonly count: number
  /** Path of a definition that leads back to itself; null when none does. */
  readonly recursive: readonly string[] | null
}

/** How much there is to check of each value. Only for a schema without faults. */
export const countRules = (root: Readonly<Record<string, unknown>>): RuleCount => {
  const definitions = isSchemaObject(root['$defs']) ? root['$defs'] : {}
  const counted = new Map<string, number>()
  const open = new Set<string>()
  let recursive: readonly string[] | null = null

  const countDefinition = (name: string): number => {
    const known = counted.get(name)
    if (known !== undefined) return known
    if (open.has(name)) {
      recursive = ['$defs', name]
      return 0
    }
    open.add(name)
    const rules = countSchema(definitions[name])
    open.delete(name)
    counted.set(name, rules)
    return rules
  }

  const countSchema = (schema: unknown): number =>
    isSchemaObject(schema)
      ? Object.entries(schema).reduce((sum, [name, value]) => sum + countKeyword(name, value), 1)
      : 1

  const sumOf = (schemas: readonly unknown[]): number =>
    schemas.reduce<number>((sum, each) => sum + countSchema(each), 0)

  const countKeyword = (keyword: string, value: unknown): number => {
    if (keyword === '$defs') return 0
    if (keyword === '$ref') return 1 + countDefinition(definitionOf(value) ?? '')
    if (schemaKeywords.singles.includes(keyword)) return countSchema(value)
    if (schemaKeywords.lists.includes(keyword)) return sumOf(value as readonly unknown[])
    if (schemaKeywords.maps.includes(keyword)) return sumOf(Object.values(value as object))
    // Each entry of `enum` and `required` is compared.
    return Array.isArray(value) ? value.length : 1
  }

  const count = countSchema(root)
  // A definition that nothing names may still lead in a circle, which the checker must not meet.
  for (const name of Object.keys(definitions)) countDefinition(name)
  return { count, recursive }
}
