import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningServer, startServer } from '../support/running-server.ts'

let server: RunningServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const evaluate = (resultSchema: unknown) =>
  server.as('alice')('POST', '/v1/runs', {
    json: { language: 'python', code: '{"score": 2}', profile: 'evaluator', resultSchema },
  })

test('a result that does not fit is a run that failed, and the answer is 200', async () => {
  const { status, body } = await evaluate({ properties: { score: { maximum: 1 } } })

  expect({ status, failure: body.failure }).toMatchObject({
    status: 200,
    failure: { code: 'result_mismatch', detail: '/score: expected maximum 1, got 2' },
  })
})

test('a schema that is not valid is refused before anything runs, with pointers into the body', async () => {
  const { status, body } = await evaluate({ properties: { score: { maximum: '1', pattern: 'a+' } } })

  expect(status).toBe(400)
  expect(body).toMatchObject({
    code: 'invalid_request',
    errors: [
      { pointer: '/resultSchema/properties/score/maximum', detail: 'expected a number, got "1"' },
      { pointer: '/resultSchema/properties/score/pattern', detail: expect.stringContaining('expected no pattern') },
    ],
  })
})
