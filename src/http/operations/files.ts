import { z } from 'zod'
import { BerthError, isBerthError } from '../../domain/errors.ts'
import { fileNameSchema } from '../../domain/file-name.ts'
import type { FilePlace } from '../../domain/ports/tenant-files.ts'
import { createFileQuota, MAX_TENANT_FILES } from '../file-quota.ts'
import type { HttpDeps, HttpOptions } from '../http-deps.ts'
import { findTenant, knownTenant } from '../known-tenant.ts'
import type { Operation } from '../operation.ts'
import { parseQuery, pathPart } from '../query.ts'
import { assertPlainEncoding } from '../read-body.ts'
import type { RequestContext, TenantContext } from '../request-context.ts'
import { sendContent } from '../send-content.ts'
import { sendJson } from '../send.ts'
import { viewFile } from '../views.ts'
import { fileWire, pageOf, pageQuery } from '../wire.ts'

const fileNameOf = ({ request }: RequestContext): string => {
  const parsed = fileNameSchema.safeParse(pathPart(request, 'name'))
  if (parsed.success) return parsed.data
  const detail = parsed.error.issues[0]?.message ?? 'the name is not allowed'
  throw new BerthError('invalid_file_name', `The file name is not allowed: ${detail}.`)
}

const listFiles = (deps: HttpDeps): Operation => {
  const query = z.strictObject(pageQuery)
  return {
    method: 'get',
    path: '/v1/files',
    id: 'listFiles',
    tag: 'files',
    access: 'tenant',
    sensitive: false,
    summary: "The tenant's files, by name",
    query,
    answers: { 200: { description: 'A page of files.', schema: pageOf(fileWire) } },
    errors: ['invalid_request'],
    async handle({ request, response, who, signal }) {
      const { limit, cursor } = parseQuery(query, request)
      const known = await findTenant(deps, who)
      const berthId = known?.berth?.id
      if (berthId === undefined) return sendJson(response, 200, { data: [], nextCursor: null })
      const page = await deps.files.list({ berthId, area: 'files' }, { limit, cursor: cursor ?? null, signal })
      return sendJson(response, 200, { data: page.entries.map(viewFile), nextCursor: page.nextCursor })
    },
  }
}

const putFile = (deps: HttpDeps, { limits }: HttpOptions): Operation => {
  const { maxFileBytes, maxTenantBytes } = limits
  const quota = createFileQuota({ files: deps.files, maxTenantBytes })
  return {
    method: 'put',
    path: '/v1/files/{name}',
    id: 'putFile',
    tag: 'files',
    access: 'tenant',
    summary: 'Write a file; durable when answered',
    description: `The body is the file, byte by byte, of any content type. Readers see the old content or the new. A tenant has at most ${MAX_TENANT_FILES} files.`,
    body: { mime: 'application/octet-stream' },
    answers: {
      200: { description: 'The file was replaced.', schema: fileWire },
      201: { description: 'The file is new.', schema: fileWire },
    },
    errors: [
      'invalid_file_name',
      'file_too_large',
      'files_quota',
      'unsupported_media_type',
      'tenant_provisioning',
      'tenant_suspended',
      'tenant_deleted',
    ],
    async handle(context) {
      const { request, response, signal } = context
      const name = fileNameOf(context)
      assertPlainEncoding(request)
      const declared = request.headers['content-length']
      const declaredBytes = declared === undefined ? null : Number(declared)
      if (declaredBytes !== null && declaredBytes > maxFileBytes)
        throw new BerthError(
          'file_too_large',
          `A file may have ${maxFileBytes} bytes at most, this one has ${declaredBytes}.`,
        )
      const { berth } = await deps.provisioner.ensureBerth(context.who, { signal })
      const place: FilePlace = { berthId: berth.id, area: 'files' }
      const replacesBytes = await bytesOf(deps, place, { name, signal })
      const upload = { berthId: berth.id, replacesBytes, declaredBytes, signal }
      const entry = await quota
        .hold(upload, (count) => deps.files.put(place, name, count(request), { maxBytes: maxFileBytes, signal }))
        .catch((error: unknown) => whyGone(deps, context, error))
      sendJson(response, replacesBytes === null ? 201 : 200, viewFile(entry))
    },
  }
}

/** A berth may go while a body comes: with its tenant, or since that has moved. @throws {BerthError} what ensureBerth throws; the error */
const whyGone = async ({ provisioner }: HttpDeps, { who, signal }: TenantContext, error: unknown): Promise<never> => {
  if (!isBerthError(error) || error.code !== 'not_found') throw error
  await provisioner.ensureBerth(who, { signal })
  throw new BerthError('tenant_provisioning', 'The berth was replaced while the file came.', {
    cause: error,
    retryAfterSeconds: 1,
  })
}

const bytesOf = async (
  { files }: HttpDeps,
  place: FilePlace,
  { name, signal }: { name: string; signal: AbortSignal },
): Promise<number | null> => {
  const content = await files.get(place, name, { signal })
  // Only its size is wanted; the unread body gives its descriptor back.
  await content?.body[Symbol.asyncIterator]().return?.()
  return content?.entry.bytes ?? null
}

const existingPlace = async (deps: HttpDeps, { who }: TenantContext): Promise<FilePlace> => {
  const { berth } = await knownTenant(deps, who)
  if (berth === null) throw new BerthError('not_found', 'There is no such file.')
  return { berthId: berth.id, area: 'files' }
}

const directQuery = z.strictObject({
  direct: z
    .enum(['true', 'false'], 'expected true or false')
    .optional()
    .describe('true: where the backend can, a redirect to a URL that gives the bytes without this server.'),
})

/** Null where the backend has no such URL. @throws {BerthError} not_found */
const directUrl = async (deps: HttpDeps, place: FilePlace, file: { name: string; signal: AbortSignal }) => {
  const { name, signal } = file
  if ((await bytesOf(deps, place, file)) === null) throw new BerthError('not_found', 'There is no such file.')
  return deps.files.presign(place, name, { method: 'GET', signal })
}

const getFile = (deps: HttpDeps): Operation => ({
  method: 'get',
  path: '/v1/files/{name}',
  id: 'getFile',
  tag: 'files',
  access: 'tenant',
  summary: 'The bytes of a file',
  description:
    'With `direct=true` be ready for both answers: a backend without such URLs sends the bytes itself. Send the URL no Authorization header; it works for anyone who has it.',
  query: directQuery,
  answers: {
    200: { description: 'Always an attachment.', mime: 'application/octet-stream' },
    307: { description: 'With `direct=true`: `Location` gives the bytes for five minutes.' },
  },
  errors: ['invalid_request', 'not_found', 'invalid_file_name'],
  async handle(context) {
    const { request, response, signal } = context
    const name = fileNameOf(context)
    const { direct } = parseQuery(directQuery, request)
    const place = await existingPlace(deps, context)
    const url = direct === 'true' ? await directUrl(deps, place, { name, signal }) : null
    if (url !== null) return void response.writeHead(307, { Location: url, 'Cache-Control': 'no-store' }).end()
    const content = await deps.files.get(place, name, { signal })
    if (content === null) throw new BerthError('not_found', 'There is no such file.')
    return sendContent(context, content, 'application/octet-stream')
  },
})

const deleteFile = (deps: HttpDeps): Operation => ({
  method: 'delete',
  path: '/v1/files/{name}',
  id: 'deleteFile',
  tag: 'files',
  access: 'tenant',
  summary: 'Delete a file',
  answers: { 204: { description: 'It is gone.' } },
  errors: ['not_found', 'invalid_file_name'],
  async handle(context) {
    const name = fileNameOf(context)
    const deleted = await deps.files.delete(await existingPlace(deps, context), name, { signal: context.signal })
    if (!deleted) throw new BerthError('not_found', 'There is no such file.')
    context.response.writeHead(204).end()
  },
})

export const fileOperations = (deps: HttpDeps, options: HttpOptions): readonly Operation[] => [
  listFiles(deps),
  putFile(deps, options),
  getFile(deps),
  deleteFile(deps),
]
