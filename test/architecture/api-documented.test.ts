import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { apiRoutes } from '../support/api-routes.ts'

const doc = readFileSync(resolve(import.meta.dirname, '../../docs/api.md'), 'utf8')

/** Every `METHOD /path` and `METHOD, METHOD /path` in back quotes; a query says nothing about the route. */
const documentedIn = (text: string): readonly string[] =>
  [...text.matchAll(/`((?:GET|POST|PUT|DELETE|PATCH)(?:, [A-Z]+)*) (\/[^`?\s]*)[^`]*`/g)].flatMap(
    ([, methods = '', path = '']) => methods.split(', ').map((method) => `${method} ${path}`),
  )

const missing = (from: readonly string[], wanted: readonly string[]): readonly string[] =>
  wanted.filter((route) => !from.includes(route))

let routes: readonly string[]
beforeAll(async () => {
  routes = await apiRoutes()
})

test('every operation of /openapi.json stands in docs/api.md', () => {
  expect(missing(documentedIn(doc), routes)).toEqual([])
})

test('docs/api.md names no route that does not exist', () => {
  expect(missing(routes, documentedIn(doc))).toEqual([])
})

test('control: a route that is taken out of the page, or made up in it, is noticed', () => {
  const without = doc.replace(/`GET \/v1\/me`/g, 'me')
  const invented = `${doc}\n| \`DELETE /v1/me\` | |`

  expect(missing(documentedIn(without), routes)).toEqual(['GET /v1/me'])
  expect(missing(routes, documentedIn(invented))).toEqual(['DELETE /v1/me'])
})
