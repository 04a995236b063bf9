import type { z } from 'zod'
import type { ErrorCode } from '../domain/error-table.ts'
import { BerthError } from '../domain/errors.ts'
import { describeIssue } from './describe-issue.ts'

const MAX_ERRORS = 20

export interface InputPlace {
  /** Where the input came from, as the error's detail says it. */
  readonly where: 'body' | 'query' | 'path' | 'headers'
  /** @default invalid_request */
  readonly code?: ErrorCode
}

/** Checks what a caller sent. @throws {BerthError} with one entry in `errors` per fault */
export const parseInput = <T extends z.ZodType>(schema: T, input: unknown, place: InputPlace): z.output<T> => {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const fields = fieldsOf(schema)
  const errors = parsed.error.issues.slice(0, MAX_ERRORS).flatMap((issue) => describeIssue(issue, input, fields))
  const [first] = errors
  const at = first?.pointer === '' ? '' : ` at ${first?.pointer}`
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more, see errors)` : ''
  throw new BerthError(
    place.code ?? 'invalid_request',
    `The ${place.where} is not valid${at}: ${ended(`${first?.detail}${more}`)}`,
    {
      errors: errors.slice(0, MAX_ERRORS),
    },
  )
}

const fieldsOf = (schema: z.ZodType): readonly string[] => {
  let inner: unknown = schema
  while (isWrapper(inner)) inner = inner.def.innerType
  return typeof inner === 'object' && inner !== null && 'shape' in inner ? Object.keys(inner.shape as object) : []
}

const isWrapper = (schema: unknown): schema is { readonly def: { readonly innerType: unknown } } =>
  typeof schema === 'object' &&
  schema !== null &&
  'def' in schema &&
  typeof schema.def === 'object' &&
  schema.def !== null &&
  'innerType' in schema.def

/** A detail may end with a question of its own. */
const ended = (text: string): string => (text.endsWith('?') ? text : `${text}.`)
