import * as fc from 'fast-check'
import { type BerthId, berthIdSchema } from '../../src/domain/ids.ts'
import { nameOf } from '../../src/backends/lambda/names.ts'
import { type TemplateName, parseTemplate, templateText } from './read-template.ts'
import { documentOf, policiesOf } from './policies.ts'
import { ACCOUNT, REGION, type Resolved, resolveTemplate } from './resolve-template.ts'
import type { Caller } from './simulate.ts'

/** A change to a template's text, to show that a test fails without what it takes out. */
export type Tampering = (text: string) => string
const untouched: Tampering = (text) => text

/** Takes a piece out, or puts another in its place; throws when it isn't there, so that no control goes stale. */
export const swap =
  (piece: string, other: string): Tampering =>
  (text) => {
    if (!text.includes(piece)) throw new Error(`the template does not say ${piece}`)
    return text.replaceAll(piece, other)
  }

export const arbitraryBerthId = fc
  .stringMatching(/^[a-z2-7]{15}$/)
  .map((rest): BerthId => berthIdSchema.parse(`b${rest}`))

const stack = (name: TemplateName, tamper: Tampering) => parseTemplate(tamper(templateText(name)))
const templates = new Map<Tampering, Readonly<Record<TemplateName, ReturnType<typeof stack>>>>()
const parsed = (tamper: Tampering, which: TemplateName) => {
  if (tamper === untouched && templates.has(untouched)) return templates.get(untouched)?.[which] ?? stack(which, tamper)
  if (tamper !== untouched) return stack(which, tamper)
  const both = { tenant: stack('tenant', untouched), foundation: stack('foundation', untouched) }
  templates.set(untouched, both)
  return both[which]
}

export interface Settings {
  readonly deployment?: string
  readonly foundation?: Readonly<Record<string, string>>
  readonly tamperFoundation?: Tampering
  readonly tamperTenant?: Tampering
}

export const foundationOf = (settings: Settings = {}): Resolved => {
  const deployment = settings.deployment ?? 'berth'
  return resolveTemplate(parsed(settings.tamperFoundation ?? untouched, 'foundation'), `${deployment}-foundation`, {
    Deployment: deployment,
    ...settings.foundation,
  })
}

export const berthOf = (berthId: BerthId, foundation: Resolved, settings: Settings = {}): Resolved => {
  const deployment = settings.deployment ?? 'berth'
  return resolveTemplate(parsed(settings.tamperTenant ?? untouched, 'tenant'), nameOf(deployment, berthId), {
    Deployment: deployment,
    BerthId: berthId,
    ImageUri: `${foundation.outputs['RepositoryUri'] ?? ''}@sha256:${'a'.repeat(64)}`,
    Bucket: foundation.outputs['BucketName'] ?? '',
    BoundaryArn: foundation.outputs['BoundaryArn'] ?? '',
    SubnetIds: foundation.outputs['SubnetIds'] ?? '',
    SecurityGroupIds: foundation.outputs['SecurityGroupIds'] ?? '',
  })
}

const tagsOf = (role: Resolved): Record<string, string> => {
  const tags = role.resources['Role']?.Properties['Tags'] as readonly { readonly Key: string; readonly Value: string }[]
  return Object.fromEntries(tags.map((tag) => [tag.Key, tag.Value]))
}

/** The code in a berth's function, as AWS sees it: role policy, boundary and tags, all three from the templates. */
export const codeIn = (berthId: BerthId, settings: Settings = {}): Caller => {
  const foundation = foundationOf(settings)
  const berth = berthOf(berthId, foundation, settings)
  return {
    principal: berth.outputs['RoleArn'] ?? '',
    tags: tagsOf(berth),
    policies: policiesOf(berth, 'Role'),
    boundary: documentOf(foundation, 'Boundary'),
  }
}

/** A role of the foundation, as `ServerRole`. */
export const roleOf = (id: string, settings: Settings = {}): Caller => {
  const foundation = foundationOf(settings)
  return { principal: foundation.outputs[`${id}Arn`] ?? '', policies: policiesOf(foundation, id) }
}

export const arn = {
  bucket: (deployment = 'berth') => `arn:aws:s3:::${deployment}-foundation-bucket`,
  object: (key: string, deployment = 'berth') => `arn:aws:s3:::${deployment}-foundation-bucket/${key}`,
  function: (name: string) => `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`,
  role: (path: string) => `arn:aws:iam::${ACCOUNT}:role/${path}`,
  policy: (path: string) => `arn:aws:iam::${ACCOUNT}:policy/${path}`,
  stack: (name: string) => `arn:aws:cloudformation:${REGION}:${ACCOUNT}:stack/${name}/0a1b2c3d`,
  logGroup: (name: string) => `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${name}`,
  logStream: (group: string) => `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${group}:log-stream:2026/11/22/[1]ab`,
  parameter: (name: string) => `arn:aws:ssm:${REGION}:${ACCOUNT}:parameter${name}`,
  repository: (name: string) => `arn:aws:ecr:${REGION}:${ACCOUNT}:repository/${name}`,
  networkInterface: (id: string) => `arn:aws:ec2:${REGION}:${ACCOUNT}:network-interface/${id}`,
} as const
