import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { apiRoutes } from '../support/api-routes.ts'

const folder = resolve(import.meta.dirname, '../http')
/** These knock at every route without looking at what a route does. */
const sweeps = new Set(['schemathesis.test.ts', 'who-may-call.test.ts'])

const testsOf = (names: readonly string[]): string =>
  names
    .filter((name) => name.endsWith('.test.ts') && !sweeps.has(name))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n')

const tests = testsOf(readdirSync(folder))

/** What tests call: a method and a path as two literals that follow each other, `('GET', `/v1/runs/${id}`…`. */
const callsIn = (text: string): readonly string[] =>
  [...text.matchAll(/'(GET|POST|PUT|DELETE)',\s*(?:'([^']+)'|`([^`]+)`)/g)].map(
    ([, method = '', plain, template = '']) => {
      const path = plain ?? template.replaceAll(/\$\{[^}]*\}/g, '*')
      return `${method} ${path.split('?')[0]}`
    },
  )

const matches = (route: string, call: string): boolean => {
  const parts = route.split('/')
  const given = call.split('/')
  return parts.length === given.length && parts.every((part, index) => part.startsWith('{') || part === given[index])
}

const untested = (routes: readonly string[], text: string): readonly string[] => {
  const calls = callsIn(text)
  return routes.filter((route) => !calls.some((call) => matches(route, call)))
}

let routes: readonly string[]
beforeAll(async () => {
  routes = await apiRoutes()
})

test('every operation of /openapi.json is called by a test of its own in test/http', () => {
  expect(untested(routes, tests)).toEqual([])
})

test('control: a new route, and a test that is taken away, are noticed', () => {
  const fewer = tests.replaceAll("'/v1/runtimes'", "'/elsewhere'")

  expect(untested([...routes, 'PUT /v1/me', 'GET /v1/files/{name}/history'], tests)).toEqual([
    'PUT /v1/me',
    'GET /v1/files/{name}/history',
  ])
  expect(untested(routes, fewer)).toEqual(['GET /v1/runtimes'])
})
