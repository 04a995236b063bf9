import { startServer } from './running-server.ts'

/** `GET /v1/runs/{id}` of every operation in the OpenAPI document of a running server. */
export const apiRoutes = async (): Promise<readonly string[]> => {
  await using server = await startServer()
  const { body } = await server.call('GET', '/openapi.json')
  return Object.entries(body.paths as Record<string, object>).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  )
}
