import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi'
import { z } from 'zod'
import { errorTable, type ErrorCode } from '../domain/error-table.ts'
import type { Operation } from './operation.ts'
import { problemWire } from './wire.ts'

const tags: Readonly<Record<Operation['tag'], string>> = {
  runs: 'Run code and read what came of it.',
  files: "The tenant's files.",
  self: 'Who is calling and what code finds here.',
  'sign-up': "The identity provider's hook.",
  tenants: 'For operators: tenants and their berths.',
  keys: 'For operators: keys of services and operators.',
  fleet: 'For operators: rows against resources, and what berths run against what is wanted.',
  server: 'Liveness, readiness, metrics.',
}

const everywhere: readonly ErrorCode[] = ['internal', 'store_unavailable']
const ofJsonBodies: readonly ErrorCode[] = [
  'invalid_request',
  'malformed_json',
  'payload_too_large',
  'unsupported_media_type',
]
const authenticated: readonly ErrorCode[] = ['unauthenticated', 'forbidden', 'rate_limited', 'identity_unavailable']

/** The OpenAPI 3.1 document, from the schemas that check the input. */
export const createOpenApi = (operations: readonly Operation[], version: string): OpenApiDocument =>
  createDocument(
    {
      openapi: '3.1.0',
      info: {
        title: 'Berth',
        version,
        description:
          "A place of their own for every user's untrusted code. Errors are RFC 9457 problems with `code`, `category`, `retryable` and `remedy`; the codes are listed at /docs/errors.",
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
      paths: pathsOf(operations),
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description: 'A key (`berth_…`) or an ID token of a trusted issuer. Service keys add Berth-Tenant.',
          },
        },
      },
    },
    { allowEmptySchema: { custom: true } },
  )

const pathsOf = (operations: readonly Operation[]): ZodOpenApiPathsObject => {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {}
  for (const operation of operations) {
    const path = operation.path.replace('+}', '}')
    paths[path] = { ...paths[path], [operation.method]: describeOperation(operation) }
  }
  return paths
}

const takesTenant = (access: Operation['access']): boolean => access === 'tenant' || access === 'caller'

const tenantHeaders = {
  'berth-tenant': z.string().optional().meta({
    description: 'With a service key: the uid of the tenant, percent-encoded UTF-8. Users leave it out.',
  }),
  'berth-identity-tenant': z
    .string()
    .optional()
    .meta({ description: 'With a service key: the tenant inside a multi-tenant identity project.' }),
}

const describeOperation = (operation: Operation): ZodOpenApiOperationObject => {
  const { id, tag, summary, description, query, headers, body, access } = operation
  const header = { ...(takesTenant(access) && tenantHeaders), ...headers?.shape }
  const path = pathParameters(operation.path)
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    security: access === 'public' || access === 'hook' ? [] : [{ bearer: [] }],
    requestParams: {
      ...(path !== null && { path }),
      ...(query !== undefined && { query }),
      ...(Object.keys(header).length > 0 && { header: z.object(header) }),
    },
    ...(body !== undefined && { requestBody: describeBody(body) }),
    responses: { ...describeAnswers(operation), ...describeErrors(operation) },
  }
}

const pathParameters = (path: string): z.ZodObject | null => {
  const names = [...path.matchAll(/\{(\w+)\+?\}/g)].map(([, name = '']) => name)
  return names.length === 0 ? null : z.object(Object.fromEntries(names.map((name) => [name, z.string()])))
}

const bytes = z.string().meta({ override: { type: 'string', format: 'binary' } })

const describeBody = ({ schema, mime }: NonNullable<Operation['body']>) => ({
  // An upload without a body makes an empty file.
  required: mime === undefined,
  content: { [mime ?? 'application/json']: { schema: schema ?? bytes } },
})

const describeAnswers = ({ answers }: Operation) =>
  Object.fromEntries(
    Object.entries(answers).map(([status, { description, schema, mime }]) => [
      status,
      schema === undefined && mime === undefined
        ? { description }
        : { description, content: { [mime ?? 'application/json']: { schema: schema ?? bytes } } },
    ]),
  )

/** One entry per status; its description names the codes. */
const describeErrors = ({ access, body, errors = [] }: Operation) => {
  const open = access === 'public' || access === 'hook'
  const implied = [
    ...(open ? [] : authenticated),
    ...(takesTenant(access) ? (['invalid_request'] as const) : []),
    ...(body !== undefined && body.mime === undefined ? ofJsonBodies : []),
  ]
  const codes = [...new Set([...errors, ...implied, ...everywhere])]
  const byStatus = Map.groupBy(codes, (code) => String(errorTable[code].status))
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      status,
      { description: list.join(', '), content: { 'application/problem+json': { schema: problemWire } } },
    ]),
  )
}

export type OpenApiDocument = ReturnType<typeof createDocument>
