import type { OutputUnit } from '@cfworker/json-schema'
import type { JsonSchema } from '../domain/result-schema.ts'
import { pointerOf, shown } from '../domain/shown.ts'

const MAX_EXPECTED = 300

/** Where a value does not fit, what was expected there and what was got: of all that does not fit, what lies deepest. */
export const describeMismatch = (schema: JsonSchema, value: unknown, errors: readonly OutputUnit[]): string => {
  const depth = Math.max(...errors.map(depthOf))
  const deepest = errors.filter((error) => depthOf(error) === depth)
  // Of several alternatives none is the one that was meant.
  const error = deepest.find(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf') ?? deepest.at(-1)
  if (error === undefined) return 'the result: expected what resultSchema says, got something else'
  const path = partsOf(error.instanceLocation)
  const got = path.reduce(stepInto, value)
  const place = path.length === 0 ? 'the result' : pointerOf(path).slice(0, MAX_EXPECTED)
  return `${place}: expected ${expectedBy(error, schema, got)}, got ${shown(got)}`
}

const depthOf = ({ instanceLocation }: OutputUnit): number => instanceLocation.split('/').length

const partsOf = (location: string): readonly string[] =>
  location
    .split('/')
    .slice(1)
    .map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'))

const stepInto = (value: unknown, part: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, part)
    ? (value as Readonly<Record<string, unknown>>)[part]
    : undefined

const expectedBy = ({ keyword, keywordLocation }: OutputUnit, schema: JsonSchema, got: unknown): string => {
  if (keyword === 'false') return 'nothing here'
  const rule = ruleAt(schema, partsOf(keywordLocation))
  switch (keyword) {
    case 'required':
      return `a property ${JSON.stringify(missingOf(rule, got))}`
    case 'anyOf':
    case 'oneOf':
      return `what fits ${keyword === 'anyOf' ? 'one' : 'exactly one'} of ${shown(rule)} in ${keyword}`
    default:
      return cut(`${keyword} ${JSON.stringify(rule)}`)
  }
}

const missingOf = (required: unknown, got: unknown): string =>
  (required as readonly string[]).find((name) => !Object.hasOwn(got as object, name)) ?? ''

/** The way through the schema goes through what each `$ref` names. */
const ruleAt = (root: JsonSchema, path: readonly string[]): unknown =>
  path.reduce<unknown>((schema, part) => {
    const inner = stepInto(schema, part)
    return part === '$ref' && typeof inner === 'string' ? partsOf(inner).reduce(stepInto, root) : inner
  }, root)

const cut = (text: string): string => (text.length > MAX_EXPECTED ? `${text.slice(0, MAX_EXPECTED)}…` : text)
