import { once } from 'node:events'
import { createServer, type RequestListener, type ServerOptions } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import helmet from 'helmet'
import { expect, test } from 'vitest'
import { createMessageClasses } from '../../src/http/message-classes.ts'
import { helmetOptions, securityHeaders } from '../../src/http/security-headers.ts'

const ask = async (listener: RequestListener, options: ServerOptions = {}): Promise<Response> => {
  const server = createServer(options, listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    return await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  } finally {
    server.close()
  }
}

const headersOf = async (response: Response): Promise<Record<string, string>> => {
  await response.text()
  const { date: _, ...headers } = Object.fromEntries(response.headers)
  return headers
}

test('the headers that are set at once are those that helmet sets by itself', async () => {
  const all = ['content-security-policy', 'strict-transport-security', 'x-content-type-options', 'x-frame-options']
  const ours = await ask(express().use(securityHeaders(), (_request, response) => void response.send('ok')))
  const theirs = await ask(express().use(helmet(helmetOptions), (_request, response) => void response.send('ok')))

  const headers = await headersOf(ours)

  // Express says who it is where helmet is not there to take it out; Berth switches that off itself.
  delete headers['x-powered-by']
  expect(headers).toEqual(await headersOf(theirs))
  expect(Object.keys(headers)).toEqual(expect.arrayContaining(all))
})

test.each([
  ['with the classes made for the app no request changes its prototype', true, true],
  ['without them Express changes it', false, false],
])('%s', async (_name, withClasses, stays) => {
  const app = express()
  const seen: unknown[] = []
  const look = (request: object, response: object) =>
    seen.push([Object.getPrototypeOf(request), Object.getPrototypeOf(response)])
  app.use((request, response) => {
    look(request, response)
    response.status(201).json({ path: request.path, secure: request.secure })
  })

  const answer = await ask(
    (request, response) => {
      look(request, response)
      app(request, response)
    },
    withClasses ? createMessageClasses(app) : {},
  )

  expect([answer.status, await answer.json()]).toEqual([201, { path: '/', secure: false }])
  const [before, after] = seen as [object[], object[]]
  expect(before.every((prototype, index) => prototype === after[index])).toBe(stays)
})
