import { BerthError } from '../../domain/errors.ts'
import type { HttpDeps } from '../http-deps.ts'
import { knownTenant } from '../known-tenant.ts'
import type { Operation } from '../operation.ts'
import { pathPart } from '../query.ts'
import { reportedArtifact } from '../reported-artifact.ts'
import { sendContent } from '../send-content.ts'
import { sendJson } from '../send.ts'
import { artifactWire, pageOf } from '../wire.ts'
import { runIdOf } from './runs.ts'

const listArtifacts = (deps: HttpDeps): Operation => ({
  method: 'get',
  path: '/v1/runs/{id}/artifacts',
  id: 'listArtifacts',
  tag: 'runs',
  access: 'tenant',
  sensitive: false,
  summary: 'What a run wrote to outputs/, and its figures',
  answers: { 200: { description: 'All of them, on one page.', schema: pageOf(artifactWire) } },
  errors: ['not_found'],
  async handle(context) {
    const runId = runIdOf(context)
    const { tenant } = await knownTenant(deps, context.who)
    const { run } = await deps.dispatcher.get(tenant.id, runId)
    sendJson(context.response, 200, { data: run.artifacts, nextCursor: null })
  },
})

const getArtifact = (deps: HttpDeps): Operation => ({
  method: 'get',
  path: '/v1/runs/{id}/artifacts/{name+}',
  id: 'getArtifact',
  tag: 'runs',
  access: 'tenant',
  summary: 'The bytes of one artifact',
  answers: { 200: { description: 'Always an attachment.', mime: 'application/octet-stream' } },
  errors: ['not_found'],
  async handle(context) {
    const runId = runIdOf(context)
    const name = pathPart(context.request, 'name')
    const { tenant } = await knownTenant(deps, context.who)
    const { run, berthId } = await deps.dispatcher.get(tenant.id, runId)
    // Only names that the run itself reported are looked for.
    const artifact = run.artifacts.find((candidate) => candidate.name === name)
    const content =
      artifact === undefined || berthId === null
        ? null
        : await deps.files.get({ area: 'run', berthId, runId }, name, { signal: context.signal })
    if (artifact === undefined || content === null) throw new BerthError('not_found', 'The run has no such artifact.')
    await sendContent(context, await reportedArtifact(content, artifact), artifact.mime)
  },
})

export const artifactOperations = (deps: HttpDeps): readonly Operation[] => [listArtifacts(deps), getArtifact(deps)]
