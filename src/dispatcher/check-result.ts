import { Validator } from '@cfworker/json-schema'
import type { ErrorCode } from '../domain/error-table.ts'
import type { JsonSchema } from '../domain/result-schema.ts'
import { createFailure, type Run } from '../domain/run.ts'
import { countRules } from '../domain/schema-rules.ts'
import { describeMismatch } from './describe-mismatch.ts'

/** Rules times values. The worst that fits was measured at 0.25 s, in which the server does nothing else; ordinary ones take 0.02 s. */
export const MAX_RESULT_CHECKS = 100_000
/** A text or a name is counted as a value for so many characters: they are counted, or written anew for a place, one by one. */
const CHARACTERS_PER_VALUE = 64

interface Problem {
  readonly code: ErrorCode
  readonly detail: string
}

/** A run that succeeded and whose main result does not fit the schema that the caller sent has failed. */
export const checkResult = (run: Run, schema: JsonSchema | undefined): Run => {
  if (schema === undefined || run.status !== 'succeeded') return run
  const problem = problemOf(run, schema)
  if (problem === null) return run
  return { ...run, status: 'failed', failure: createFailure(problem.code, problem.detail) }
}

const mismatch = (detail: string): Problem => ({ code: 'result_mismatch', detail })

const problemOf = ({ results }: Run, schema: JsonSchema): Problem | null => {
  const main = results.find(({ isMain }) => isMain)
  if (main === undefined) return mismatch('the result: expected a value for resultSchema to check, got none')
  if (main.json === undefined)
    return mismatch('the result: expected JSON for resultSchema to check, got a value without that form')
  const { count } = countRules(schema)
  const values = countValues(main.json, Math.floor(MAX_RESULT_CHECKS / count))
  if (values === null) return tooMany(count)
  return compare(schema, main.json)
}

const tooMany = (rules: number): Problem => ({
  code: 'result_too_large',
  detail: `resultSchema has ${rules} rules, so it can check a result of at most ${Math.floor(MAX_RESULT_CHECKS / rules)} values (${MAX_RESULT_CHECKS} checks); the result has more`,
})

/** Null when there are more than `most`. */
const countValues = (root: unknown, most: number): number | null => {
  const open: unknown[] = [root]
  let count = 0
  while (open.length > 0) {
    const value = open.pop()
    count += typeof value === 'string' ? 1 + value.length / CHARACTERS_PER_VALUE : 1
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) count += charactersOf(value)
    if (count > most) return null
    if (typeof value !== 'object' || value === null) continue
    for (const inner of Object.values(value)) open.push(inner)
  }
  return count
}

const charactersOf = (value: object): number =>
  Object.keys(value).reduce((sum, name) => sum + name.length, 0) / CHARACTERS_PER_VALUE

const compare = (schema: JsonSchema, value: unknown): Problem | null => {
  try {
    const { valid, errors } = new Validator(schema, '2020-12').validate(value)
    return valid ? null : mismatch(describeMismatch(schema, value, errors))
  } catch (error) {
    // It writes names of the value into URIs, which have no place for half a surrogate pair.
    if (error instanceof URIError) return mismatch('the result: expected names of well-formed Unicode, got another')
    throw error
  }
}
