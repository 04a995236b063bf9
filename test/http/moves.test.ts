import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningServer, startServer } from '../support/running-server.ts'

let server: RunningServer
let tenantId: string
beforeAll(async () => {
  server = await startServer()
  const { body } = await server.operator('POST', '/v1/tenants', { json: { project: 'demo', uid: 'ada' } })
  tenantId = body.id
})
afterAll(() => server[Symbol.asyncDispose]())

test('a server with one backend says that it can move nobody', async () => {
  const { status, body } = await server.operator('POST', `/v1/tenants/${tenantId}/move`, { json: { to: 'lambda' } })

  expect(status).toBe(400)
  expect(body).toMatchObject({ code: 'invalid_request', detail: expect.stringContaining('it has only local') })
})

test.each([
  [{}, '/to', 'expected one of "lambda", "lambda-shared", got nothing'],
  [{ to: 'moon' }, '/to', 'expected one of "lambda", "lambda-shared", got "moon"'],
  [{ to: 'lambda', deleteFiles: 'yes' }, '/deleteFiles', 'expected a boolean, got "yes"'],
])('%j is refused where it is wrong', async (json, pointer, detail) => {
  const { status, body } = await server.operator('POST', `/v1/tenants/${tenantId}/move`, { json })

  expect({ status, errors: body.errors }).toEqual({ status: 400, errors: [{ pointer, detail }] })
})

test('without a move there is none to look at, and only operators may ask', async () => {
  expect((await server.operator('GET', `/v1/tenants/${tenantId}/move`)).status).toBe(404)
  expect((await server.as('ada')('POST', `/v1/tenants/${tenantId}/move`, { json: { to: 'lambda' } })).status).toBe(403)
  expect((await server.as('ada')('GET', `/v1/tenants/${tenantId}/move`)).status).toBe(403)
})
