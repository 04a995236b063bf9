import type { Resolved } from './resolve-template.ts'

export interface Statement {
  readonly Sid?: string
  readonly Effect: 'Allow' | 'Deny'
  readonly Principal?: unknown
  readonly Action: string | readonly string[]
  readonly Resource?: string | readonly string[]
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

export interface Policy {
  readonly Version: '2012-10-17'
  readonly Statement: readonly Statement[]
}

export interface NamedPolicy {
  readonly name: string
  readonly policy: Policy
}

const properties = (resolved: Resolved, id: string): Readonly<Record<string, unknown>> => {
  const resource = resolved.resources[id]
  if (resource === undefined) throw new Error(`the stack has no resource ${id}`)
  return resource.Properties
}

export const documentOf = (resolved: Resolved, id: string, property = 'PolicyDocument'): Policy =>
  properties(resolved, id)[property] as Policy

export const trustOf = (resolved: Resolved, id: string): Policy => documentOf(resolved, id, 'AssumeRolePolicyDocument')

/** Inline policies and, of the same stack, managed ones. */
export const policiesOf = (resolved: Resolved, id: string): readonly NamedPolicy[] => {
  const role = properties(resolved, id)
  const inline = (role['Policies'] ?? []) as { readonly PolicyName: string; readonly PolicyDocument: Policy }[]
  const attached = (role['ManagedPolicyArns'] ?? []) as string[]
  return [
    ...inline.map((policy) => ({ name: policy.PolicyName, policy: policy.PolicyDocument })),
    ...attached.map(() => ({ name: 'RolloutPolicy', policy: documentOf(resolved, 'RolloutPolicy') })),
  ]
}

export const anything: NamedPolicy = {
  name: 'anything',
  policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] },
}

export const listed = (value: string | readonly string[] | undefined): readonly string[] =>
  value === undefined ? [] : typeof value === 'string' ? [value] : value
