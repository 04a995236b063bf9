import { describe, expect, test } from 'vitest'
import {
  jsonSchemaField,
  MAX_RESULT_SCHEMA_BYTES,
  MAX_RESULT_SCHEMA_DEPTH,
  MAX_RESULT_SCHEMA_RULES,
} from '../../src/domain/result-schema.ts'
import { pointerOf } from '../../src/domain/shown.ts'

const faultsOf = (schema: unknown): readonly string[] => {
  const parsed = jsonSchemaField.safeParse(schema)
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${pointerOf(path)}: ${message}`)
}

const levels = (count: number): object => {
  let schema: object = {}
  for (let level = 1; level < count; level += 1) schema = { not: schema }
  return schema
}

const ofBytes = (bytes: number): object => {
  const empty = JSON.stringify({ description: '' })
  return { description: 'é'.repeat((bytes - empty.length) >> 1).padEnd((bytes - empty.length + 1) >> 1, 'a') }
}

/** Each of the `$ref` counts 3: the schema, the keyword, what it names. */
const ofRules = (count: number): object => ({
  $defs: { any: true },
  allOf: Array.from({ length: Math.floor((count - 1) / 3) }, () => ({ $ref: '#/$defs/any' })),
  required: Array.from({ length: (count - 1) % 3 }, () => 'a'),
})

test('what code generators write of ordinary types is taken', () => {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Scores',
    type: 'object',
    $defs: { Score: { type: ['number', 'null'], minimum: 0, maximum: 1, default: 0.5, examples: [1] } },
    properties: {
      name: { type: 'string', minLength: 1, maxLength: 500, enum: ['a', 'b'] },
      scores: { type: 'array', items: { $ref: '#/$defs/Score' }, minItems: 1, maxItems: 10 },
      pair: { prefixItems: [{ const: 1 }, true], items: false },
      either: { anyOf: [{ type: 'string' }, { type: 'null' }], not: { const: '' } },
    },
    required: ['name'],
    additionalProperties: false,
  }

  expect(faultsOf(schema)).toEqual([])
})

test.each([
  ['a pattern', { properties: { a: { pattern: '(a+)+$' } } }, '/properties/a/pattern: expected no pattern, got one'],
  ['pattern properties', { patternProperties: {} }, '/patternProperties: expected no patternProperties, got one'],
  ['a format', { format: 'email' }, '/format: expected no format, got one: formats are not checked here'],
  ['unique items', { uniqueItems: true }, '/uniqueItems: expected no uniqueItems, got one'],
  ['a reference to another place', { $ref: 'https://x.example/s.json' }, '/$ref: expected "#/$defs/<name>" of a def'],
  ['a reference to a file', { $ref: 'file:///etc/passwd' }, '/$ref: expected "#/$defs/<name>" of a definition'],
  ['a reference to nothing', { $ref: '#/$defs/toString' }, '/$ref: expected "#/$defs/<name>" of a definition'],
  ['a new base', { $id: 'https://x.example/' }, '/$id: expected a keyword that is checked here, got "$id"'],
  ['an anchor', { $anchor: 'a' }, '/$anchor: expected a keyword that is checked here, got "$anchor"'],
  ['the words of the checker itself', { __absolute_ref__: 'x' }, '/__absolute_ref__: expected a keyword that is'],
  ['a word of every object', { constructor: {} }, '/constructor: expected a keyword that is checked here'],
  [
    'a misspelt keyword',
    { tyep: 'string' },
    '/tyep: expected a keyword that is checked here, got "tyep"; did you mean',
  ],
  ['an unknown type', { type: 'strng' }, '/type: expected one of null, boolean, object, array, number, integer'],
  ['an empty choice', { anyOf: [] }, '/anyOf: expected a list of JSON Schemas that is not empty, got a list of 0'],
  ['a schema that is none', { items: 3 }, '/items: expected a JSON Schema, an object or true or false, got 3'],
  ['a negative count', { minItems: -1 }, '/minItems: expected a whole number from 0, got -1'],
  ['a divisor of 0', { multipleOf: 0 }, '/multipleOf: expected a number above 0, got 0'],
  ['another dialect', { $schema: 'http://json-schema.org/draft-07/schema#' }, '/$schema: expected "https://json-sch'],
  ['half a character', { properties: { '\ud800': true } }, '/properties: expected names of well-formed Unicode'],
])('%s is refused where it stands', (_, schema, fault) => {
  expect(faultsOf(schema)).toEqual([expect.stringContaining(fault)])
})

test.each([
  ['itself', { $defs: { a: { items: { $ref: '#/$defs/a' } } } }],
  [
    'itself through another',
    { $defs: { a: { not: { $ref: '#/$defs/b' } }, b: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' },
  ],
])('a definition that leads back to %s is refused', (_, schema) => {
  expect(faultsOf(schema)).toEqual([expect.stringContaining('expected a $ref that does not lead back to itself')])
})

describe('each limit passes at the limit and fails one over', () => {
  test('bytes of UTF-8', () => {
    const [fits, over] = [ofBytes(MAX_RESULT_SCHEMA_BYTES), ofBytes(MAX_RESULT_SCHEMA_BYTES + 1)]

    expect(Buffer.byteLength(JSON.stringify(fits))).toBe(MAX_RESULT_SCHEMA_BYTES)
    expect(faultsOf(fits)).toEqual([])
    expect(faultsOf(over)).toEqual([`: expected a JSON Schema of at most 16384 bytes, got 16385`])
  })

  test('levels', () => {
    expect(faultsOf(levels(MAX_RESULT_SCHEMA_DEPTH))).toEqual([])
    expect(faultsOf(levels(MAX_RESULT_SCHEMA_DEPTH + 1))).toEqual([
      ': expected a JSON Schema of at most 32 levels, got more',
    ])
    expect(faultsOf(levels(100_000))).toHaveLength(1)
  })

  test('rules, with every reference written out', () => {
    expect(faultsOf(ofRules(MAX_RESULT_SCHEMA_RULES))).toEqual([])
    expect(faultsOf(ofRules(MAX_RESULT_SCHEMA_RULES + 1))).toEqual([
      ': expected at most 2048 rules with every $ref written out, got 2049',
    ])
  })
})

test('references that double what they name are counted before anything follows them', () => {
  const doubled = Array.from({ length: 60 }, (_, level) => {
    const next = { $ref: `#/$defs/d${level + 1}` }
    return [`d${level}`, { allOf: [next, next] }] as const
  })
  const schema = { $defs: { ...Object.fromEntries(doubled), d60: { type: 'string' } }, $ref: '#/$defs/d0' }

  expect(faultsOf(schema)).toEqual([expect.stringContaining('expected at most 2048 rules')])
})
