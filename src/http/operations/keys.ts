import { BerthError } from '../../domain/errors.ts'
import { keyIdSchema } from '../../domain/ids.ts'
import type { HttpDeps } from '../http-deps.ts'
import type { Operation } from '../operation.ts'
import { parseInput } from '../parse-input.ts'
import { pathPart } from '../query.ts'
import { readJson } from '../read-body.ts'
import { sendJson } from '../send.ts'
import { viewKey } from '../views.ts'
import { keyWire, newKeyAnswerWire, newKeyWire, pageOf } from '../wire.ts'

const BODY = { maxBytes: 64 * 1024, timeoutMs: 20_000 }

const createKey = ({ keys }: HttpDeps): Operation => ({
  method: 'post',
  path: '/v1/keys',
  id: 'createKey',
  tag: 'keys',
  access: 'operator',
  summary: 'Make a key; its secret is shown this once',
  body: { schema: newKeyWire },
  answers: { 201: { description: 'The key and its secret.', schema: newKeyAnswerWire } },
  errors: ['invalid_request', 'malformed_json'],
  async handle({ request, response }) {
    const { name, role, project } = parseInput(newKeyWire, await readJson(request, BODY), { where: 'body' })
    const { key, secret } = await keys.create({ name, role, project: project ?? null })
    sendJson(response, 201, { ...viewKey(key), secret })
  },
})

const listKeys = ({ keys }: HttpDeps): Operation => ({
  method: 'get',
  path: '/v1/keys',
  id: 'listKeys',
  tag: 'keys',
  access: 'operator',
  summary: 'All keys, without their secrets',
  answers: { 200: { description: 'All of them, on one page.', schema: pageOf(keyWire) } },
  async handle({ response }) {
    const all = await keys.list()
    sendJson(response, 200, { data: all.map(viewKey), nextCursor: null })
  },
})

const revokeKey = ({ keys }: HttpDeps): Operation => ({
  method: 'delete',
  path: '/v1/keys/{id}',
  id: 'revokeKey',
  tag: 'keys',
  access: 'operator',
  summary: 'Revoke a key: at once here, within five seconds in other processes',
  answers: { 200: { description: 'The revoked key.', schema: keyWire } },
  errors: ['not_found', 'conflict'],
  async handle({ request, response, caller }) {
    const parsed = keyIdSchema.safeParse(pathPart(request, 'id'))
    if (!parsed.success) throw new BerthError('not_found', 'There is no key of this id.')
    // The last operator key could lock everyone out; another operator key must do it.
    if (caller.kind === 'operator' && caller.keyId === parsed.data)
      throw new BerthError('conflict', 'A key cannot revoke itself; use another operator key.')
    sendJson(response, 200, viewKey(await keys.revoke(parsed.data)))
  },
})

export const keyOperations = (deps: HttpDeps): readonly Operation[] => [
  createKey(deps),
  listKeys(deps),
  revokeKey(deps),
]
