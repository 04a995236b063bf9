import { z } from 'zod'
import { countRules } from './schema-rules.ts'
import { findSchemaFaults } from './schema-faults.ts'
import { isDeeper } from './is-deeper.ts'

/** Bytes of UTF-8 that a result schema may have as JSON. */
export const MAX_RESULT_SCHEMA_BYTES = 16_384
/** Levels of objects and lists in it. */
export const MAX_RESULT_SCHEMA_DEPTH = 32
/** Rules after every `$ref` has been replaced by what it names. */
export const MAX_RESULT_SCHEMA_RULES = 2048

interface Fault {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

const whole = (expected: string, got: string): readonly Fault[] => [
  { path: [], message: `expected ${expected}, got ${got}` },
]

const faultsOf = (schema: Readonly<Record<string, unknown>>): readonly Fault[] => {
  if (isDeeper(schema, MAX_RESULT_SCHEMA_DEPTH))
    return whole(`a JSON Schema of at most ${MAX_RESULT_SCHEMA_DEPTH} levels`, 'more')
  const bytes = Buffer.byteLength(JSON.stringify(schema))
  if (bytes > MAX_RESULT_SCHEMA_BYTES)
    return whole(`a JSON Schema of at most ${MAX_RESULT_SCHEMA_BYTES} bytes`, `${bytes}`)
  const faults = findSchemaFaults(schema)
  if (faults.length > 0) return faults
  const rules = countRules(schema)
  if (rules.recursive !== null)
    return [{ path: rules.recursive, message: 'expected a $ref that does not lead back to itself, got one that does' }]
  return rules.count > MAX_RESULT_SCHEMA_RULES
    ? whole(`at most ${MAX_RESULT_SCHEMA_RULES} rules with every $ref written out`, `${rules.count}`)
    : []
}

/**
 * A JSON Schema (2020-12) that the main result must fit. Whoever sends it may be hostile, so that it holds only what is checked in
 * a time that can be told beforehand: no patterns, no formats, no `$ref` out of it or back to itself.
 */
export const jsonSchemaField = z.record(z.string(), z.unknown()).superRefine((schema, context) => {
  for (const { path, message } of faultsOf(schema)) context.addIssue({ code: 'custom', path: [...path], message })
})
export type JsonSchema = z.infer<typeof jsonSchemaField>
