import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'

/** What the measured answers must show: the run printed this. */
export const INSTANT_PRINTS = '2'
export const REPOSITORY = '111122223333.dkr.ecr.eu-west-1.amazonaws.com/berth'
const IMAGE = `${REPOSITORY}@sha256:${'a'.repeat(64)}`
const ROLE = 'arn:aws:iam::111122223333:role/bench'

export interface Answer {
  readonly body?: string
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}

export interface Asked {
  readonly request: IncomingMessage
  readonly path: string
  readonly body: Buffer
}

interface Stack {
  readonly name: string
  readonly id: string
  readonly tags: readonly (readonly [string, string])[]
}

export const json = (value: unknown): Answer => ({ body: JSON.stringify(value) })

/** The tail of a log as Lambda adds it: the report line alone. */
const REPORT = Buffer.from(
  'REPORT RequestId: 0\tDuration: 0.10 ms\tBilled Duration: 1 ms\tMemory Size: 1024 MB\tMax Memory Used: 90 MB\t\n',
).toString('base64')

const replyTo = (runId: string) => ({
  protocol: 1,
  kind: 'reply',
  runId,
  outcome: { status: 'succeeded', code: null, detail: '' },
  results: [],
  logs: {
    stdout: `${INSTANT_PRINTS}\n`,
    stderr: '',
    truncated: { stdout: false, stderr: false },
    droppedBytes: 0,
  },
  error: null,
  artifacts: [],
  usage: { wallMs: 0.1, cpuMs: 0.1, peakMemoryMiB: 90 },
  timings: { coldStartMs: 0, execMs: 0.1 },
  runner: { version: 1, image: IMAGE, level: 'guard' },
})

const selfTest = {
  protocol: 1,
  kind: 'self_test',
  passed: true,
  runnerVersion: 1,
  image: IMAGE,
  checks: ['own_prefix_readable', 'other_prefix_refused'].map((name) => ({ name, passed: true, detail: 'at once' })),
}

const invoke = ({ request, body }: Asked): Answer => {
  const event = JSON.parse(body.toString()) as { kind: string; runId?: string }
  const answer = event.kind === 'self_test' ? selfTest : replyTo(event.runId ?? '')
  const tail = request.headers['x-amz-log-type'] === 'Tail' ? { 'X-Amz-Log-Result': REPORT } : {}
  return { ...json(answer), headers: { 'X-Amz-Executed-Version': '$LATEST', ...tail } }
}

const lambda = (asked: Asked): Answer => {
  const { path } = asked
  if (path.endsWith('/invocations')) return invoke(asked)
  if (path.includes('/account-settings'))
    return json({ AccountLimit: { ConcurrentExecutions: 1000, UnreservedConcurrentExecutions: 1000 } })
  const name = /\/functions\/([^/]+)/.exec(path)?.[1]
  if (name === undefined) return json({ Functions: [] })
  const Configuration = { FunctionName: name, State: 'Active', LastUpdateStatus: 'Successful' }
  return json({ Configuration, Code: { ImageUri: IMAGE, ResolvedImageUri: IMAGE } })
}

const outputs = {
  BucketName: 'berth-bench',
  RepositoryUri: REPOSITORY,
  BoundaryArn: 'arn:aws:iam::111122223333:policy/bench',
  StackRoleArn: ROLE,
  WantedImageParameter: '/berth/wanted-image',
}

const members = (items: readonly string[]): string => items.map((item) => `<member>${item}</member>`).join('')

const answerXml = (action: string, inner: string): Answer => ({
  body: `<${action}Response><${action}Result>${inner}</${action}Result></${action}Response>`,
  headers: { 'Content-Type': 'text/xml' },
})

const pair = (names: readonly [string, string], [key, value]: readonly [string, string]): string =>
  `<${names[0]}>${key}</${names[0]}><${names[1]}>${value}</${names[1]}>`

const stackXml = ({ name, id, tags }: Stack, given: Readonly<Record<string, string>> = {}): string => {
  const shownTags = members(tags.map((tag) => pair(['Key', 'Value'], tag)))
  const shownOutputs = members(Object.entries(given).map((one) => pair(['OutputKey', 'OutputValue'], one)))
  return `<StackName>${name}</StackName><StackId>${id}</StackId><StackStatus>CREATE_COMPLETE</StackStatus>
<CreationTime>2026-01-01T00:00:00Z</CreationTime><Tags>${shownTags}</Tags><Outputs>${shownOutputs}</Outputs>`
}

const missing = (name: string): Answer => ({
  status: 400,
  body: `<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id ${name} does not exist</Message></Error></ErrorResponse>`,
  headers: { 'Content-Type': 'text/xml' },
})

const tagsOf = (form: URLSearchParams): Stack['tags'] =>
  [1, 2, 3].flatMap((n) => {
    const key = form.get(`Tags.member.${n}.Key`)
    return key === null ? [] : [[key, form.get(`Tags.member.${n}.Value`) ?? ''] as const]
  })

/** Stacks are whole as soon as they are asked for, so that only Berth's own pace is seen. */
const raised = {
  stacks: '<Name>StackLimit</Name><Value>1000000</Value>',
  roles: '<entry><key>RolesQuota</key><value>1000000</value></entry>',
}

const createStacks = () => {
  const stacks = new Map<string, Stack>()
  const actions: Readonly<Record<string, (form: URLSearchParams) => Answer>> = {
    CreateStack: (form) => {
      const name = form.get('StackName') ?? ''
      const id = `arn:aws:cloudformation:eu-west-1:111122223333:stack/${name}/1`
      const stack = { name, id, tags: tagsOf(form) }
      stacks.set(name, stack).set(id, stack)
      return answerXml('CreateStack', `<StackId>${id}</StackId>`)
    },
    DescribeStacks: (form) => {
      const name = form.get('StackName') ?? ''
      const foundation = name.endsWith('-foundation') ? { name, id: name, tags: [] } : undefined
      const stack = foundation ?? stacks.get(name)
      if (stack === undefined) return missing(name)
      const shown = stackXml(stack, foundation === undefined ? {} : outputs)
      return answerXml('DescribeStacks', `<Stacks>${members([shown])}</Stacks>`)
    },
    // Asked for those that are under way: there are none.
    ListStacks: () => answerXml('ListStacks', '<StackSummaries/>'),
    // An account whose quotas were raised: what is measured is not where AWS stops.
    DescribeAccountLimits: () =>
      answerXml('DescribeAccountLimits', `<AccountLimits>${members([raised.stacks])}</AccountLimits>`),
    GetAccountSummary: () => answerXml('GetAccountSummary', `<SummaryMap>${raised.roles}</SummaryMap>`),
  }
  return (form: URLSearchParams): Answer => actions[form.get('Action') ?? '']?.(form) ?? { status: 501 }
}

const wanted = json({
  Parameter: {
    Name: outputs.WantedImageParameter,
    Type: 'String',
    Value: JSON.stringify({ image: IMAGE, version: 1, fence: 0 }),
  },
})

/**
 * Answers what a server of backend `lambda` asks of AWS, at once and without looking at who asks. `first` may answer in its place, or not: null.
 */
export const createInstantAws = (first: (asked: Asked) => Answer | null = () => null): Server => {
  const stacks = createStacks()
  const answerTo = (asked: Asked): Answer => {
    const { request, path, body } = asked
    if (path.startsWith('/20')) return lambda(asked)
    if (request.method !== 'POST') return { headers: { 'x-amz-version-id': '1' } }
    if (request.headers['x-amz-target'] === 'AmazonSSM.GetParameter') return wanted
    return stacks(new URLSearchParams(body.toString()))
  }
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request)
    const asked = { request, path: request.url ?? '/', body }
    const { status = 200, headers = {}, body: text = '' } = first(asked) ?? answerTo(asked)
    response.writeHead(status, { 'Content-Length': Buffer.byteLength(text), 'x-amzn-RequestId': '0', ...headers })
    response.end(text)
  }
  return createServer({ keepAliveTimeout: 0 }, (request, response) => void serve(request, response))
}
