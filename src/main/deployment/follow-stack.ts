import { DescribeStackEventsCommand, type Stack, type StackEvent } from '@aws-sdk/client-cloudformation'
import { BerthError } from '../../domain/errors.ts'
import { askCloudFormation, type Deployment, findStack, type Following } from './deployment.ts'

/** A stack of nothing but a few roles is done in seconds, one with a network in minutes. */
const FIRST_POLL_MS = 250
const LAST_POLL_MS = 2500
const ENDED = /^(CREATE|UPDATE|DELETE|ROLLBACK|UPDATE_ROLLBACK)_(COMPLETE|FAILED)$/

interface Followed extends Following {
  /** Of the stack, since a name is free again once the stack is gone. */
  readonly stackId: string
  /** The last event before what is followed began; null when there was none. */
  readonly after: string | null
}

/** Tells a stack's events as they come, until it rests. @throws {BerthError} provisioning_failed with what failed first */
export const followStack = async (deployment: Deployment, followed: Followed): Promise<Stack> => {
  const { stackId, onProgress, signal } = followed
  let last = followed.after
  let reason: string | null = null
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(LAST_POLL_MS, pollMs * 1.5)) {
    // Before the events: those of its end are then among them.
    const stack = await findStack(deployment, stackId, signal)
    for (const event of await eventsAfter(deployment, { stackId, last, signal })) {
      last = event.EventId ?? last
      reason ??= reasonOf(event)
      onProgress(lineOf(event))
    }
    const status = stack?.StackStatus ?? 'DELETE_COMPLETE'
    if (ENDED.test(status)) return wellEnded(deployment, { stack, status, reason })
    await deployment.clock.sleep(pollMs, signal)
  }
}

const wellEnded = (
  { stackName }: Deployment,
  { stack, status, reason }: { stack: Stack | null; status: string; reason: string | null },
): Stack => {
  if (/^(CREATE|UPDATE|DELETE)_COMPLETE$/.test(status) && !(status === 'DELETE_COMPLETE' && reason !== null))
    return stack ?? { StackName: stackName, CreationTime: undefined, StackStatus: 'DELETE_COMPLETE' }
  throw new BerthError('provisioning_failed', `Stack ${stackName} is ${status}: ${reason ?? 'no reason was given'}`, {
    data: { remedy: 'Mend what the reason names, then start the same command again.' },
  })
}

/** Oldest first. Pages come newest first, so reading stops at the first one that is known. */
const eventsAfter = async (
  deployment: Deployment,
  { stackId, last, signal }: { stackId: string; last: string | null; signal: AbortSignal },
): Promise<readonly StackEvent[]> => {
  const found: StackEvent[] = []
  for (let token: string | undefined; ;) {
    const command = new DescribeStackEventsCommand({ StackName: stackId, NextToken: token })
    const page = await askCloudFormation(deployment, { operation: 'DescribeStackEvents', signal }, (options) =>
      deployment.cell.clients.cloudFormation.send(command, options),
    )
    const events = page.StackEvents ?? []
    const known = events.findIndex(({ EventId }) => EventId === last)
    found.push(...(known === -1 ? events : events.slice(0, known)))
    if (known !== -1 || page.NextToken === undefined) return found.toReversed()
    token = page.NextToken
  }
}

/** The last event that the stack has now. */
export const lastEventOf = async (
  deployment: Deployment,
  stackId: string,
  signal: AbortSignal,
): Promise<string | null> => {
  const command = new DescribeStackEventsCommand({ StackName: stackId })
  const page = await askCloudFormation(deployment, { operation: 'DescribeStackEvents', signal }, (options) =>
    deployment.cell.clients.cloudFormation.send(command, options),
  )
  return page.StackEvents?.[0]?.EventId ?? null
}

/** What failed first; what was canceled because of it says nothing of its own. */
const reasonOf = ({ ResourceStatus, ResourceStatusReason = '', LogicalResourceId }: StackEvent): string | null =>
  (ResourceStatus ?? '').endsWith('_FAILED') && !/^Resource (creation|update) cancelled/i.test(ResourceStatusReason)
    ? `${LogicalResourceId}: ${ResourceStatusReason}`
    : null

const lineOf = ({ ResourceStatus, LogicalResourceId, ResourceType, ResourceStatusReason = '' }: StackEvent): string =>
  `${ResourceStatus} ${LogicalResourceId} (${ResourceType})${ResourceStatusReason === '' ? '' : `: ${ResourceStatusReason}`}`
