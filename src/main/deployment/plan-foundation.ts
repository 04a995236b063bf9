import { readFileSync } from 'node:fs'
import {
  type Change,
  CreateChangeSetCommand,
  DeleteChangeSetCommand,
  DeleteStackCommand,
  DescribeChangeSetCommand,
  ExecuteChangeSetCommand,
  type Parameter,
  type Stack,
} from '@aws-sdk/client-cloudformation'
import { GetParameterCommand } from '@aws-sdk/client-ssm'
import { awsFailureOf, isNotFound } from '../../aws/aws-errors.ts'
import { BerthError } from '../../domain/errors.ts'
import { askCloudFormation, type Deployment, findStack, type Following, outputsOf } from './deployment.ts'
import { followStack, lastEventOf } from './follow-stack.ts'

export interface PlannedChange {
  readonly action: string
  readonly resource: string
  readonly type: string
  /** True when the resource is made anew, which loses what it holds. */
  readonly replaced: boolean
}

export interface FoundationPlan {
  readonly kind: 'create' | 'update' | 'unchanged'
  readonly changes: readonly PlannedChange[]
  /** Carries it out; answers with the outputs of the stack. @throws {BerthError} provisioning_failed */
  execute(following: Following): Promise<Readonly<Record<string, string>>>
  /** Takes the change set back, and the empty stack that it made. */
  discard(signal: AbortSignal): Promise<void>
}

export interface FoundationWish {
  /** @default foundation */
  readonly template?: 'foundation' | 'shared'
  /** What follows from other stacks and is not for anyone to choose. @default the present wanted image */
  readonly fixed?: Readonly<Record<string, string>>
  /** Parameters of templates/foundation.yaml; those left out keep their value. */
  readonly parameters: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

const DISCARD_MS = 10_000

const readTemplate = (name: string): string =>
  readFileSync(new URL(`../../../templates/${name}.yaml`, import.meta.url), 'utf8')

/** What `berth init` would do, as CloudFormation itself says. Nothing is changed yet. @throws {BerthError} invalid_request, conflict */
export const planFoundation = async (deployment: Deployment, wish: FoundationWish): Promise<FoundationPlan> => {
  const { signal } = wish
  const present = await presentStack(deployment, signal)
  const body = readTemplate(wish.template ?? 'foundation')
  const parameters = await parametersOf(deployment, { body, present, wish })
  const changeSet = await createChangeSet(deployment, { body, parameters, present, signal })
  const discard = (signal: AbortSignal): Promise<void> => discardPlan(deployment, { changeSet, present, signal })
  const { status, reason, changes } = await settledChangeSet(deployment, changeSet.id, signal).catch(
    async (error: unknown) => {
      // Mostly a Ctrl-C. What cannot be taken back now is no harm: the next plan takes an empty stack for none.
      await discard(AbortSignal.timeout(DISCARD_MS)).catch(() => undefined)
      throw error
    },
  )
  if (status === 'FAILED') {
    await discard(signal)
    if (present === null || !isNothing(reason)) throw refused(reason)
    return { kind: 'unchanged', changes: [], execute: async () => outputsOf(present), discard: async () => undefined }
  }
  return {
    kind: present === null ? 'create' : 'update',
    changes,
    execute: (following) => executePlan(deployment, changeSet, following),
    discard,
  }
}

const refused = (reason: string): BerthError =>
  new BerthError('invalid_request', `CloudFormation refused the change: ${reason}`, {
    data: { remedy: 'Mend the parameter that the reason names; templates/README.md describes them.' },
  })

const isNothing = (reason: string): boolean => /didn't contain changes|No updates are to be performed/i.test(reason)

/** Null when nothing was ever made; what a failed or abandoned first try left is cleared away. */
const presentStack = async (deployment: Deployment, signal: AbortSignal): Promise<Stack | null> => {
  const stack = await findStack(deployment, deployment.stackName, signal)
  const status = stack?.StackStatus ?? 'DELETE_COMPLETE'
  if (status === 'DELETE_COMPLETE' || status === 'REVIEW_IN_PROGRESS') return null
  if (status === 'ROLLBACK_COMPLETE' || status === 'CREATE_FAILED') {
    await deleteStack(deployment, stack?.StackId ?? deployment.stackName, signal)
    await followStack(deployment, {
      stackId: stack?.StackId ?? deployment.stackName,
      after: await lastEventOf(deployment, stack?.StackId ?? deployment.stackName, signal),
      signal,
      onProgress: () => undefined,
    })
    return null
  }
  if (status.endsWith('_IN_PROGRESS'))
    throw new BerthError('conflict', `Stack ${deployment.stackName} is ${status}: something else changes it now`, {
      data: { remedy: 'Wait until it rests, then start the same command again.' },
    })
  return stack
}

/** Names of the parameters of our own template: two spaces in, between `Parameters:` and the next section. */
const namesOf = (body: string): readonly string[] => {
  const section = /^Parameters:\n([\s\S]*?)^\S/m.exec(body)?.[1] ?? ''
  return [...section.matchAll(/^ {2}(\w+):/gm)].map(([, name = '']) => name)
}

const parametersOf = async (
  deployment: Deployment,
  { body, present, wish }: { body: string; present: Stack | null; wish: FoundationWish },
): Promise<Parameter[]> => {
  const names = namesOf(body)
  const unknown = Object.keys(wish.parameters).filter((name) => !names.includes(name))
  if (unknown.length > 0)
    throw new BerthError('invalid_request', `expected parameters of the template, got ${unknown.join(', ')}`, {
      data: { remedy: `There are: ${names.join(', ')}.` },
    })
  const kept = (present?.Parameters ?? []).map(({ ParameterKey = '', ParameterValue = '' }) => [
    ParameterKey,
    ParameterValue,
  ])
  const values: Record<string, string> = {
    ...Object.fromEntries(kept),
    ...wish.parameters,
    Deployment: deployment.deployment,
    // The stack's own value is that of its last change; a rollout since then wrote another.
    ...(wish.fixed ?? { WantedImage: await presentWantedImage(deployment, wish.signal) }),
  }
  return names.flatMap((name) => {
    const value = values[name]
    return value === undefined ? [] : [{ ParameterKey: name, ParameterValue: value }]
  })
}

const presentWantedImage = async ({ cell, deployment }: Deployment, signal: AbortSignal): Promise<string> => {
  const command = new GetParameterCommand({ Name: `/${deployment}/wanted-image` })
  try {
    return (await cell.clients.ssm.send(command, { abortSignal: signal })).Parameter?.Value ?? '{}'
  } catch (error) {
    if (isNotFound(error)) return '{}'
    throw error
  }
}

interface ChangeSet {
  readonly id: string
  readonly stackId: string
}

const isInvalid = (error: unknown): boolean => awsFailureOf(error)?.name === 'ValidationError'

const createChangeSet = async (
  deployment: Deployment,
  options: { body: string; parameters: Parameter[]; present: Stack | null; signal: AbortSignal },
): Promise<ChangeSet> => {
  const isNew = options.present === null
  const command = new CreateChangeSetCommand({
    StackName: deployment.stackName,
    ChangeSetName: `berth-init-${deployment.clock.now().getTime()}`,
    ChangeSetType: isNew ? 'CREATE' : 'UPDATE',
    TemplateBody: options.body,
    Parameters: options.parameters,
    Capabilities: ['CAPABILITY_NAMED_IAM'],
    Tags: [{ Key: 'berth:deployment', Value: deployment.deployment }],
    // A stack whose creation failed can only be deleted.
    ...(isNew ? { OnStackFailure: 'DELETE' as const } : {}),
  })
  const { signal } = options
  const request = { operation: 'CreateChangeSet', pool: 'stackChanges' as const, expected: isInvalid, signal }
  try {
    const made = await askCloudFormation(deployment, request, (asked) =>
      deployment.cell.clients.cloudFormation.send(command, asked),
    )
    return { id: made.Id ?? '', stackId: made.StackId ?? deployment.stackName }
  } catch (error) {
    throw isInvalid(error) ? refused(awsFailureOf(error)?.message ?? '') : error
  }
}

const settledChangeSet = async (
  deployment: Deployment,
  id: string,
  signal: AbortSignal,
): Promise<{ status: string; reason: string; changes: readonly PlannedChange[] }> => {
  const changes: PlannedChange[] = []
  for (let token: string | undefined; ;) {
    const command = new DescribeChangeSetCommand({ ChangeSetName: id, NextToken: token })
    const page = await askCloudFormation(deployment, { operation: 'DescribeChangeSet', signal }, (asked) =>
      deployment.cell.clients.cloudFormation.send(command, asked),
    )
    const status = page.Status ?? ''
    if (status.endsWith('_PENDING') || status.endsWith('_IN_PROGRESS')) {
      await deployment.clock.sleep(1000, signal)
      continue
    }
    changes.push(...(page.Changes ?? []).map(plannedOf))
    if (page.NextToken === undefined) return { status, reason: page.StatusReason ?? '', changes }
    token = page.NextToken
  }
}

const plannedOf = ({ ResourceChange: change }: Change): PlannedChange => ({
  action: change?.Action ?? '',
  resource: change?.LogicalResourceId ?? '',
  type: change?.ResourceType ?? '',
  replaced: change?.Replacement === 'True' || change?.Replacement === 'Conditional',
})

const executePlan = async (
  deployment: Deployment,
  { id, stackId }: ChangeSet,
  following: Following,
): Promise<Readonly<Record<string, string>>> => {
  const after = await lastEventOf(deployment, stackId, following.signal)
  const request = { operation: 'ExecuteChangeSet', pool: 'stackChanges' as const, signal: following.signal }
  await askCloudFormation(deployment, request, (asked) =>
    deployment.cell.clients.cloudFormation.send(new ExecuteChangeSetCommand({ ChangeSetName: id }), asked),
  )
  return outputsOf(await followStack(deployment, { ...following, stackId, after }))
}

const discardPlan = async (
  deployment: Deployment,
  { changeSet, present, signal }: { changeSet: ChangeSet; present: Stack | null; signal: AbortSignal },
): Promise<void> => {
  const request = { operation: 'DeleteChangeSet', pool: 'stackChanges' as const, signal }
  await askCloudFormation(deployment, request, (asked) =>
    deployment.cell.clients.cloudFormation.send(new DeleteChangeSetCommand({ ChangeSetName: changeSet.id }), asked),
  )
  // A change set for a new stack leaves one in REVIEW_IN_PROGRESS, which counts against the quota.
  if (present === null) await deleteStack(deployment, changeSet.stackId, signal)
}

export const deleteStack = (deployment: Deployment, stack: string, signal: AbortSignal): Promise<unknown> =>
  askCloudFormation(deployment, { operation: 'DeleteStack', pool: 'stackChanges', signal }, (asked) =>
    deployment.cell.clients.cloudFormation.send(new DeleteStackCommand({ StackName: stack }), asked),
  )
