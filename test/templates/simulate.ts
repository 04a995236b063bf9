import { runSimulation } from '@cloud-copilot/iam-simulate'
import { ACCOUNT } from './resolve-template.ts'
import type { NamedPolicy, Policy } from './policies.ts'

export interface Request {
  /** How a failed expectation names it. */
  readonly label: string
  readonly action: string
  readonly resource: string
  readonly context?: Readonly<Record<string, string | readonly string[]>>
}

export interface Caller {
  /** ARN of the role, or name of an AWS service. */
  readonly principal: string
  readonly tags?: Readonly<Record<string, string>>
  readonly policies: readonly NamedPolicy[]
  readonly boundary?: Policy | undefined
  /** Of the resource that is called: a bucket's policy, a role's trust. */
  readonly resourcePolicy?: Policy
  readonly endpointPolicy?: Policy | undefined
  /** Context of every request of this caller. */
  readonly context?: Readonly<Record<string, string>>
}

const sessionOf = (principal: string): string =>
  principal.includes(':role/')
    ? principal
        .replace(':iam:', ':sts:')
        .replace(/:role\/.*\//, ':assumed-role/')
        .concat('/session')
    : principal

/** Asks the simulator. Throws when it does not understand the request, so that no denial is one by mistake. */
export const isAllowed = async (caller: Caller, request: Request): Promise<boolean> => {
  const tags = Object.entries(caller.tags ?? {}).map(([key, value]) => [`aws:PrincipalTag/${key}`, value])
  const context = {
    ...(caller.principal.includes(':role/') ? { 'aws:PrincipalArn': caller.principal } : {}),
    ...Object.fromEntries(tags),
    ...caller.context,
    ...request.context,
  } as Record<string, string | string[]>
  const answer = await runSimulation(
    {
      identityPolicies: [...caller.policies],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(caller.boundary ? { permissionBoundaryPolicies: [{ name: 'boundary', policy: caller.boundary }] } : {}),
      ...(caller.resourcePolicy ? { resourcePolicy: caller.resourcePolicy } : {}),
      ...(caller.endpointPolicy ? { vpcEndpointPolicies: [{ name: 'endpoint', policy: caller.endpointPolicy }] } : {}),
      request: {
        principal: sessionOf(caller.principal),
        action: request.action,
        resource: { resource: request.resource, accountId: ACCOUNT },
        contextVariables: context,
      },
    },
    {},
  )
  if (answer.resultType === 'error') throw new Error(`${request.label}: ${JSON.stringify(answer.errors)}`)
  if (answer.resultType === 'single') {
    const lost = (answer.result.ignoredContextKeys ?? []).filter((key) => key in (request.context ?? {}))
    if (lost.length > 0) throw new Error(`${request.label}: the simulator passed over ${lost.join(', ')}`)
  }
  return answer.overallResult === 'Allowed'
}

/** Labels of the requests that are let through. */
export const letThrough = async (caller: Caller, requests: readonly Request[]): Promise<readonly string[]> => {
  const verdicts = await Promise.all(requests.map((request) => isAllowed(caller, request)))
  return requests.filter((_, index) => verdicts[index]).map((request) => request.label)
}

export const labels = (requests: readonly Request[]): readonly string[] => requests.map((request) => request.label)
