import type { z } from 'zod'
import type { FieldError } from '../domain/errors.ts'
import { nearestWord } from '../domain/nearest-word.ts'
import { pointerOf, shown } from '../domain/shown.ts'

type Issue = z.core.$ZodIssue

const MAX_KEY = 60

const valueAt = (input: unknown, path: readonly PropertyKey[]): unknown => {
  let value = input
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Record<PropertyKey, unknown>)[part]
  }
  return value
}

const nouns: Readonly<Record<string, string>> = {
  string: 'characters',
  array: 'entries',
  set: 'entries',
  map: 'entries',
}

const article = (word: string): string => {
  if (word === 'int') return 'a whole number'
  if (word === 'array') return 'a list'
  if (word === 'record' || word === 'object') return 'an object'
  return `a ${word}`
}

const bound = (
  issue: { origin: string; inclusive?: boolean | undefined },
  value: number | bigint,
  word: string,
): string => {
  const noun = nouns[issue.origin]
  const strictly = issue.inclusive === false ? ', not itself' : ''
  if (value === 1 && word === 'least' && noun !== undefined) return `${article(issue.origin)} that is not empty`
  return noun === undefined ? `a number of at ${word} ${value}${strictly}` : `at ${word} ${value} ${noun}`
}

const expectation = (issue: Issue): string => {
  switch (issue.code) {
    case 'invalid_type':
      return article(issue.expected)
    case 'invalid_value':
      return `one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`
    case 'too_small':
      return bound(issue, issue.minimum, 'least')
    case 'too_big':
      return bound(issue, issue.maximum, 'most')
    case 'invalid_union':
      return 'another kind of value'
    default:
      return issue.message.replace(/^expected /, '')
  }
}

/** Says per field what was expected, what was got, and what to do. */
export const describeIssue = (issue: Issue, input: unknown, fields: readonly string[]): readonly FieldError[] => {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownField(issue.path, key, fields))
  const pointer = pointerOf(issue.path)
  const value = valueAt(input, issue.path)
  if (value === undefined && issue.code === 'invalid_type')
    return [{ pointer, detail: `expected ${expectation(issue)}, got nothing; the field is required` }]
  // A message that already says what it got, such as the one for file names, needs no second one.
  if (issue.code === 'custom' && issue.message.includes(', got ')) return [{ pointer, detail: issue.message }]
  return [{ pointer, detail: `expected ${expectation(issue)}, got ${shown(value)}` }]
}

const unknownField = (path: readonly PropertyKey[], key: string, fields: readonly string[]): FieldError => {
  const near = path.length === 0 ? nearestWord(key.slice(0, MAX_KEY), fields) : null
  const hint = near === null ? 'take it out' : `did you mean ${JSON.stringify(near)}?`
  return { pointer: pointerOf([...path, key.slice(0, MAX_KEY)]), detail: `there is no such field; ${hint}` }
}
