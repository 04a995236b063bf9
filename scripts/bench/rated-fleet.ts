import { createHash } from 'node:crypto'
import type { Clock } from '../../src/domain/ports/clock.ts'
import { type Answer, type Asked, json, REPOSITORY } from './instant-aws.ts'

export const imageOf = (version: number): string =>
  `${REPOSITORY}@sha256:${createHash('sha256').update(`runner ${version}`).digest('hex')}`
const images = new Map([1, 2].map((version) => [version, imageOf(version)]))

/** A header: when the request left, on the clock of who sent it. */
export const SENT_AT = 'x-bench-ms'

const letters = 'abcdefghijklmnopqrstuvwxyz234567'
/** Names of the fleet's functions, in their order. */
export const nameAt = (index: number): string => {
  const digits = Array.from({ length: 15 }, (_, place) => letters[Math.floor(index / 32 ** (14 - place)) % 32])
  return `berth-b${digits.join('')}`
}

/** What Lambda allows per second, as AWS publishes it; the pacer under measurement has its own idea of it. */
const LIMITS = { controlPlane: 15, getFunction: 100 } as const
const PAGE = 50

export interface RatedFleetOptions {
  readonly count: number
  /** Of them, how many run the new image already. */
  readonly done: number
  /** How long LastUpdateStatus stays InProgress. */
  readonly settleMs: number
  readonly clock: Pick<Clock, 'monotonicMs'>
}

/** What was asked of Lambda's control plane, and what came of it. */
export interface Seen {
  readonly asked: number
  readonly refused: number
  readonly updates: number
  readonly listings: number
}

export interface RatedFleet {
  /** Null for what is not Lambda's. */
  answer(
    asked: Pick<Asked, 'path' | 'body'> & { readonly request: { readonly method?: string | undefined } },
  ): Answer | null
  readonly seen: Seen
  /** How many run the image of that version, with no update under way. */
  running(version: number): number
}

/** A second's worth of requests may come at once, then as many as are allowed. True when one more is. */
const createLimit = (clock: Pick<Clock, 'monotonicMs'>, perSecond: number) => {
  let left = perSecond
  let countedMs = clock.monotonicMs()
  return (): boolean => {
    const now = clock.monotonicMs()
    left = Math.min(perSecond, left + ((now - countedMs) / 1000) * perSecond)
    countedMs = now
    if (left < 1) return false
    left -= 1
    return true
  }
}

const refusal = (status: number, name: string, message: string): Answer => ({
  ...json({ message, Type: 'User', ...(status === 429 ? { Reason: 'CallerRateLimitExceeded' } : {}) }),
  status,
  headers: { 'Content-Type': 'application/json', 'x-amzn-ErrorType': name },
})

interface OneFunction {
  readonly name: string
  version: number
  revision: number
  busyUntilMs: number
}

const configurationOf = ({ name, version, revision }: OneFunction) => ({
  FunctionName: name,
  CodeSha256: images.get(version)?.slice(-64),
  RevisionId: `r${revision}`,
})

const selfTestOf = ({ version }: OneFunction): Answer => {
  const checks = ['own_prefix_readable', 'other_prefix_refused'].map((name) => ({ name, passed: true, detail: '' }))
  const answer = {
    protocol: 1,
    kind: 'self_test',
    passed: true,
    runnerVersion: version,
    image: images.get(version),
    checks,
  }
  return { ...json(answer), headers: { 'X-Amz-Executed-Version': '$LATEST' } }
}

/** Functions of which only the image changes. */
const createFunctions = ({ count, done, settleMs, clock }: RatedFleetOptions) => {
  const all = Array.from({ length: count }, (_, index): OneFunction => {
    return { name: nameAt(index), version: index < done ? 2 : 1, revision: 0, busyUntilMs: -Infinity }
  })
  const isBusy = ({ busyUntilMs }: OneFunction): boolean => busyUntilMs > clock.monotonicMs()
  return {
    named: new Map(all.map((one) => [one.name, one])),
    list: (from: number): Answer => {
      const next = from + PAGE
      return json({
        Functions: all.slice(from, next).map(configurationOf),
        ...(next < count ? { NextMarker: String(next) } : {}),
      })
    },
    get: (one: OneFunction): Answer => {
      const image = images.get(one.version)
      const LastUpdateStatus = isBusy(one) ? 'InProgress' : 'Successful'
      return json({
        Configuration: { ...configurationOf(one), State: 'Active', LastUpdateStatus },
        Code: { ImageUri: image, ResolvedImageUri: image },
      })
    },
    update: (one: OneFunction, body: Buffer): Answer => {
      const { ImageUri, RevisionId } = JSON.parse(body.toString()) as { ImageUri: string; RevisionId?: string }
      if (isBusy(one))
        return refusal(409, 'ResourceConflictException', `An update is in progress for resource: ${one.name}`)
      if (RevisionId !== undefined && RevisionId !== `r${one.revision}`)
        return refusal(412, 'PreconditionFailedException', 'The RevisionId is not that of the function')
      const version = [...images].find(([, image]) => image === ImageUri)?.[0]
      if (version === undefined) return refusal(400, 'InvalidParameterValueException', 'Source image does not exist')
      Object.assign(one, { version, revision: one.revision + 1, busyUntilMs: clock.monotonicMs() + settleMs })
      return json({ ...configurationOf(one), State: 'Active', LastUpdateStatus: 'InProgress' })
    },
    running: (version: number): number => all.filter((one) => one.version === version && !isBusy(one)).length,
  }
}

/**
 * Lambda's control plane for one fleet, which refuses by itself what comes faster than Lambda allows: 15 requests a second over all of it but
 * GetFunction, and 100 of GetFunction. Takes one change of a function at a time, and is busy with it for a while.
 */
export const createRatedFleet = (options: RatedFleetOptions): RatedFleet => {
  const functions = createFunctions(options)
  const allows = {
    controlPlane: createLimit(options.clock, LIMITS.controlPlane),
    getFunction: createLimit(options.clock, LIMITS.getFunction),
  }
  const seen = { asked: 0, refused: 0, updates: 0, listings: 0 }

  const limited = (limit: keyof typeof LIMITS, answer: () => Answer): Answer => {
    seen.asked += 1
    if (allows[limit]()) return answer()
    seen.refused += 1
    return refusal(429, 'TooManyRequestsException', 'Rate exceeded')
  }
  const listed = (query: URLSearchParams): Answer => {
    seen.listings += 1
    return functions.list(Number(query.get('Marker') ?? 0))
  }
  const updated = (one: OneFunction, body: Buffer): Answer => {
    const answer = functions.update(one, body)
    if (answer.status === undefined) seen.updates += 1
    return answer
  }

  return {
    seen,
    running: functions.running,
    answer: ({ request, path, body }) => {
      const { pathname, searchParams } = new URL(path, 'http://host')
      const [, name, rest] = /^\/[\d-]+\/functions\/?([^/]*)(.*)$/.exec(pathname) ?? []
      if (name === undefined) return null
      if (name === '') return limited('controlPlane', () => listed(searchParams))
      const one = functions.named.get(name)
      if (one === undefined) return refusal(404, 'ResourceNotFoundException', `Function not found: ${name}`)
      if (rest === '/invocations') return selfTestOf(one)
      return request.method === 'PUT'
        ? limited('controlPlane', () => updated(one, body))
        : limited('getFunction', () => functions.get(one))
    },
  }
}
