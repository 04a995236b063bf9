import { expect, test } from 'vitest'
import { checkResult, MAX_RESULT_CHECKS } from '../../src/dispatcher/check-result.ts'
import { createRun } from '../../src/dispatcher/run-from-reply.ts'
import type { JsonSchema } from '../../src/domain/result-schema.ts'
import type { Result, Run } from '../../src/domain/run.ts'
import { ids } from '../support/provisioning-site.ts'

const runWith = (...results: readonly Result[]): Run => ({
  ...createRun({ id: ids.runId(), language: 'python', createdAt: new Date(0) }),
  status: 'succeeded',
  results: [...results],
})
const main = (json: Result['json']): Run => runWith({ isMain: true, json })
const failureOf = (run: Run, schema: JsonSchema) => {
  const { status, failure } = checkResult(run, schema)
  return failure === null ? status : `${failure.code} ${failure.detail}`
}

const score: JsonSchema = {
  type: 'object',
  required: ['score'],
  properties: { score: { $ref: '#/$defs/score' }, labels: { items: { enum: ['good', 'bad'] } } },
  additionalProperties: false,
  $defs: { score: { type: 'number', minimum: 0, maximum: 1 } },
}

test.each([[{ score: 0 }], [{ score: 1, labels: [] }], [{ score: 0.5, labels: ['good', 'bad'] }]])(
  '%j fits',
  (value) => {
    expect(failureOf(main(value), score)).toBe('succeeded')
  },
)

test.each([
  [{ score: 1.000001 }, '/score: expected maximum 1, got 1.000001'],
  [{ score: -1 }, '/score: expected minimum 0, got -1'],
  [{ score: '1' }, '/score: expected type "number", got "1"'],
  [{}, 'the result: expected a property "score", got an object'],
  [{ score: 1, labels: ['good', 'ugly'] }, '/labels/1: expected enum ["good","bad"], got "ugly"'],
  [{ score: 1, 'a/b~c%#é': 2 }, '/a~1b~0c%#é: expected nothing here, got 2'],
  [[1], 'the result: expected type "object", got a list of 1'],
  [null, 'the result: expected type "object", got null'],
])('%j does not: the failure names place, what was expected and what was got', (value, detail) => {
  expect(failureOf(main(value), score)).toBe(`result_mismatch ${detail}`)
})

test('of alternatives that all fail none is said to have been meant', () => {
  const schema: JsonSchema = { anyOf: [{ type: 'string' }, { type: 'null' }] }

  expect(failureOf(main(3), schema)).toBe(
    'result_mismatch the result: expected what fits one of a list of 2 in anyOf, got 3',
  )
})

test('names that mean something to JavaScript are names like others', () => {
  const schema = JSON.parse('{"required":["toString"],"properties":{"__proto__":{"type":"string"}}}') as JsonSchema

  expect(failureOf(main(JSON.parse('{"__proto__":1,"toString":1}')), schema)).toContain('/__proto__: expected type')
  expect(failureOf(main({}), schema)).toContain('expected a property "toString"')
})

test('half a character in a name is a mismatch and not a breakdown', () => {
  expect(failureOf(main({ '\ud800': 1 }), { additionalProperties: { type: 'string' } })).toContain(
    'well-formed Unicode',
  )
})

test('a run without a result, and one whose result has no JSON, do not fit', () => {
  expect(failureOf(runWith({ isMain: false, json: { score: 1 } }), score)).toContain('got none')
  expect(failureOf(runWith({ isMain: true, text: '<table>' }), score)).toContain('got a value without that form')
})

test('only a run that succeeded is checked, and what it captured stays', () => {
  const failed: Run = { ...main('x'), status: 'timed_out' }
  const { results, logs } = checkResult(main('x'), score)

  expect(checkResult(failed, score)).toBe(failed)
  expect(checkResult(main('x'), undefined).status).toBe('succeeded')
  expect({ results, logs }).toMatchObject({ results: [{ json: 'x' }], logs: { stdout: '' } })
})

const listOf = (values: number) => main(Array.from({ length: values - 1 }, () => 0))

test('the number of checks is bounded: exactly at the bound passes, one value over is told with the figures', () => {
  // Two rules: `items`, and the schema that it is in.
  const schema: JsonSchema = { items: true }

  expect(failureOf(listOf(MAX_RESULT_CHECKS / 2), schema)).toBe('succeeded')
  expect(failureOf(listOf(MAX_RESULT_CHECKS / 2 + 1), schema)).toContain(
    'result_too_large resultSchema has 2 rules, so it can check a result of at most 50000 values',
  )
})

const named = (characters: number) => main({ ['"'.repeat(characters)]: 1 })

test('long names count like long texts: the checker writes each anew for every rule', () => {
  const schema: JsonSchema = { allOf: Array.from({ length: 400 }, () => ({ propertyNames: { maxLength: 1 } })) }

  expect(failureOf(named(100), schema)).toContain('result_mismatch')
  expect(failureOf(named(125_000), schema)).toContain('result_too_large')
})
