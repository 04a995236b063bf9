import { nearestWord } from './nearest-word.ts'
import { shown } from './shown.ts'

type Path = readonly PropertyKey[]
export interface SchemaFault {
  readonly path: Path
  readonly message: string
}

interface ValueKind {
  readonly expected: string
  readonly holds: (value: unknown) => boolean
}

const types = ['null', 'boolean', 'object', 'array', 'number', 'integer', 'string']
const isType = (value: unknown): boolean => types.includes(value as string)
const isText = (value: unknown): value is string => typeof value === 'string'
const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value)
export const isSchemaObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const any: ValueKind = { expected: 'any value', holds: () => true }
const text: ValueKind = { expected: 'a string', holds: isText }
const flag: ValueKind = { expected: 'true or false', holds: (value) => typeof value === 'boolean' }
const number: ValueKind = { expected: 'a number', holds: isNumber }
const positive: ValueKind = { expected: 'a number above 0', holds: (value) => isNumber(value) && Number(value) > 0 }
const count: ValueKind = {
  expected: 'a whole number from 0',
  holds: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
}
const DIALECT = 'https://json-schema.org/draft/2020-12/schema'

const values: Readonly<Record<string, ValueKind>> = {
  $schema: { expected: `"${DIALECT}"`, holds: (value) => isText(value) && value.replace(/#$/, '') === DIALECT },
  $comment: text,
  title: text,
  description: text,
  default: any,
  examples: any,
  deprecated: flag,
  readOnly: flag,
  writeOnly: flag,
  type: {
    expected: `one of ${types.join(', ')}, or a list of them`,
    holds: (value) => isType(value) || (Array.isArray(value) && value.length > 0 && value.every(isType)),
  },
  const: any,
  enum: { expected: 'a list that is not empty', holds: (value) => Array.isArray(value) && value.length > 0 },
  minimum: number,
  maximum: number,
  exclusiveMinimum: number,
  exclusiveMaximum: number,
  multipleOf: positive,
  minLength: count,
  maxLength: count,
  minItems: count,
  maxItems: count,
  minContains: count,
  maxContains: count,
  minProperties: count,
  maxProperties: count,
  required: { expected: 'a list of names', holds: (value) => Array.isArray(value) && value.every(isText) },
}

const singles = ['additionalProperties', 'propertyNames', 'items', 'contains', 'not', 'if', 'then', 'else']
const lists = ['prefixItems', 'allOf', 'anyOf', 'oneOf']
const maps = ['properties', '$defs']
export const schemaKeywords = { singles, lists, maps } as const
const known = [...Object.keys(values), ...singles, ...lists, ...maps, '$ref']

/** What would take time without bound, or is not checked at all: better refused than passed over. */
const unchecked: Readonly<Record<string, string>> = {
  pattern: 'a regular expression can take time without bound',
  patternProperties: 'a regular expression can take time without bound',
  format: 'formats are not checked here',
  uniqueItems: 'comparing all items can take time without bound',
}

const REF = /^#\/\$defs\/([A-Za-z0-9_.-]+)$/
/** The name below `$defs` of the root; null for any other reference. */
export const definitionOf = (ref: unknown): string | null => (isText(ref) ? (REF.exec(ref)?.[1] ?? null) : null)

const MAX_FAULTS = 20

/** What is wrong with a schema, at the place in it; at most a few. Its depth is already known to be small. */
export const findSchemaFaults = (root: Readonly<Record<string, unknown>>): readonly SchemaFault[] => {
  const faults: SchemaFault[] = []
  const definitions = isSchemaObject(root['$defs']) ? root['$defs'] : {}
  const fault = (path: Path, expected: string, got: unknown): void => {
    faults.push({ path, message: `expected ${expected}, got ${shown(got)}` })
  }

  const checkSchema = (schema: unknown, path: Path): void => {
    if (faults.length >= MAX_FAULTS || typeof schema === 'boolean') return
    if (!isSchemaObject(schema)) return fault(path, 'a JSON Schema, an object or true or false', schema)
    for (const [keyword, value] of Object.entries(schema)) checkKeyword(keyword, value, path)
  }

  const checkKeyword = (keyword: string, value: unknown, path: Path): void => {
    const at = [...path, keyword]
    if (keyword === '$ref') return checkReference(value, at)
    if (keyword === '$defs' && path.length > 0) return fault(at, '$defs at the root only', 'one further down')
    if (singles.includes(keyword)) return checkSchema(value, at)
    if (lists.includes(keyword)) return checkList(value, at)
    if (maps.includes(keyword)) return checkMap(value, at)
    const kind = Object.hasOwn(values, keyword) ? values[keyword] : undefined
    if (kind === undefined) return refuse(keyword, at)
    if (!kind.holds(value)) fault(at, kind.expected, value)
  }

  const checkReference = (value: unknown, at: Path): void => {
    const name = definitionOf(value)
    if (name === null || !Object.hasOwn(definitions, name))
      fault(at, '"#/$defs/<name>" of a definition in this schema (letters, digits, "_", "." and "-")', value)
  }

  const checkList = (value: unknown, at: Path): void => {
    if (!Array.isArray(value) || value.length === 0) return fault(at, 'a list of JSON Schemas that is not empty', value)
    value.forEach((inner, index) => checkSchema(inner, [...at, index]))
  }

  const checkMap = (value: unknown, at: Path): void => {
    if (!isSchemaObject(value)) return fault(at, 'an object of JSON Schemas', value)
    for (const [name, inner] of Object.entries(value)) {
      // The checker writes names into URIs, which have no place for half a surrogate pair.
      if (name.isWellFormed()) checkSchema(inner, [...at, name])
      else fault(at, 'names of well-formed Unicode', 'another')
    }
  }

  const refuse = (keyword: string, path: Path): void => {
    const why = Object.hasOwn(unchecked, keyword) ? unchecked[keyword] : undefined
    if (why !== undefined) {
      faults.push({ path, message: `expected no ${keyword}, got one: ${why}; check it in the code` })
      return
    }
    const word = keyword.slice(0, 30)
    const near = nearestWord(word, known)
    const hint = near === null ? 'take it out' : `did you mean ${JSON.stringify(near)}?`
    faults.push({ path, message: `expected a keyword that is checked here, got ${JSON.stringify(word)}; ${hint}` })
  }

  checkSchema(root, [])
  return faults.slice(0, MAX_FAULTS)
}
