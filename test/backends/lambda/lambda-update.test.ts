import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createLambdaFleet } from '../../../src/backends/lambda/lambda-fleet.ts'
import type { BerthId } from '../../../src/domain/ids.ts'
import { codeOf, collect, quiet } from '../../contract/content.ts'
import { type Asked, lambdaError, openScriptedCell, type ScriptedCell } from './scripted-endpoint.ts'

const repository = '000000000000.dkr.ecr.eu-central-1.amazonaws.com/berth'
const [old, wanted] = ['a', 'b'].map((digit) => `${repository}@sha256:${digit.repeat(64)}`) as [string, string]

let site: ScriptedCell
let berthId: BerthId
beforeAll(async () => {
  site = await openScriptedCell()
})
afterAll(() => site?.[Symbol.asyncDispose]())
beforeEach(() => {
  site.endpoint.asked.splice(0)
  site.rejected.splice(0)
  berthId = site.ids.berthId()
})

interface State {
  readonly image?: string
  readonly update?: string
  readonly state?: string
  readonly reason?: string
  readonly reasonCode?: string
  readonly revision?: string
}

const functionOf = ({ image = old, update = 'Successful', state = 'Active', ...more }: State) => ({
  Code: { ImageUri: `${repository}:tag`, ResolvedImageUri: image },
  Configuration: {
    FunctionName: `berth-${berthId}`,
    State: state,
    LastUpdateStatus: update,
    LastUpdateStatusReason: more.reason,
    LastUpdateStatusReasonCode: more.reasonCode,
    RevisionId: more.revision ?? 'r1',
  },
})

type Change = (response: ServerResponse) => void
const throttled: Change = (response) => lambdaError(response, { status: 429, name: 'TooManyRequestsException' })
const accepted: Change = (response) => void response.end('{}')

/** Answers each GetFunction with the next state, the last one for ever, and each change with the next answer. */
const play = (states: readonly State[], changes: readonly Change[] = [accepted]) => {
  const [left, answers] = [[...states], [...changes]]
  site.endpoint.script = ({ method }: Asked, response) => {
    if (method === 'PUT') return (answers.shift() ?? accepted)(response)
    const state = left.length > 1 ? left.shift() : left[0]
    return void response.end(JSON.stringify(functionOf(state ?? {})))
  }
}

/** Polls do not wait: only their order counts. */
const hasty = { monotonicMs: () => 0, sleep: async (_: number, signal: AbortSignal) => signal.throwIfAborted() }
const update = (image = wanted, signal = quiet()) =>
  createLambdaFleet(site.cell, { clock: hasty, ids: site.ids }).update(berthId, image, { signal })
const changes = () => site.endpoint.asked.filter(({ method }) => method === 'PUT').map(({ body }) => JSON.parse(body))

test('a berth that runs the image already costs one GetFunction and no change', async () => {
  play([{ image: wanted }])

  await update()

  expect(site.endpoint.asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
    `GET /2015-03-31/functions/berth-${berthId}`,
  ])
})

test('a berth is changed once, from the revision that was read, and waited for', async () => {
  play([
    { revision: 'r7' },
    { image: wanted, update: 'InProgress' },
    { image: wanted, update: 'InProgress' },
    { image: wanted },
  ])

  await update()

  expect(changes()).toEqual([{ ImageUri: wanted, RevisionId: 'r7' }])
  expect(site.endpoint.asked).toHaveLength(5)
})

test('a change that another one is under way for is waited for, then made', async () => {
  play([{ update: 'InProgress' }, {}, { image: wanted }])

  await update()

  expect(changes()).toHaveLength(1)
})

test.each([
  ['raced with another change', 412, 'PreconditionFailedException'],
  ['came into the middle of another', 409, 'ResourceConflictException'],
])('a change that %s is made again from what is there then', async (_, status, name) => {
  play(
    [{ revision: 'r1' }, { revision: 'r2' }, { image: wanted }],
    [(response) => lambdaError(response, { status, name })],
  )

  await update()

  expect(changes().map(({ RevisionId }) => RevisionId)).toEqual(['r1', 'r2'])
})

test('a change that fails is an error with the own reason of Lambda, and not tried again', async () => {
  const failed = { update: 'Failed', reason: 'The image has no such entry', reasonCode: 'InvalidImage' }
  play([{}, { update: 'InProgress' }, failed])

  const error = await update().catch((error: unknown) => error)

  expect(error).toMatchObject({
    code: 'berth_broken',
    data: { reason: 'The image has no such entry', reasonCode: 'InvalidImage' },
  })
  expect(changes()).toHaveLength(1)
})

test('a berth whose last change failed can be brought to another image', async () => {
  play([{ update: 'Failed', reason: 'old trouble' }, { update: 'InProgress' }, { image: wanted }])

  await update()

  expect(changes()).toHaveLength(1)
})

test('an image that Lambda does not take is an error with the words of Lambda in its data', async () => {
  const fields = { message: 'Source image does not exist.' }
  play([{}], [(response) => lambdaError(response, { status: 400, name: 'InvalidParameterValueException', fields })])

  expect(await update().catch((error: unknown) => error)).toMatchObject({
    code: 'berth_broken',
    data: { reasonCode: 'InvalidParameterValueException' },
  })
})

test('a berth without a function is not found', async () => {
  site.endpoint.script = (_, response) => lambdaError(response, { status: 404, name: 'ResourceNotFoundException' })

  expect(await codeOf(update())).toBe('not_found')
})

test('an image by its tag is refused, for a tag can move', async () => {
  expect(await codeOf(update(`${repository}:v2`))).toBe('invalid_request')
  expect(site.endpoint.asked).toEqual([])
})

test('a change that AWS throttles slows its pool down and is repeated', async () => {
  play([{}, { image: wanted }], [throttled])

  await update()

  expect(site.rejected).toEqual(['lambda'])
  expect(changes()).toHaveLength(2)
})

test('a rollout asks for each berth the less often the more berths it waits for', async () => {
  const changed = new Set<string>()
  site.endpoint.script = ({ method, url }, response) => {
    const name = /functions\/([^/]+)/.exec(url)?.[1] ?? ''
    if (method === 'PUT') changed.add(name)
    const state = changed.has(name) ? { image: wanted } : {}
    response.end(method === 'PUT' ? '{}' : JSON.stringify(functionOf(state)))
  }
  const naps: number[] = []
  const all = Promise.withResolvers<void>()
  const sleep = async (ms: number): Promise<void> => {
    if (naps.push(ms) === 90) all.resolve()
    await all.promise
  }
  const fleet = createLambdaFleet(site.cell, { clock: { monotonicMs: () => 0, sleep }, ids: site.ids })

  await Promise.all(Array.from({ length: 90 }, () => fleet.update(site.ids.berthId(), wanted, { signal: quiet() })))

  // Between half and three halves of half a second, and of the two seconds in which 90 polls are 45 a second.
  expect(naps[0]).toBeLessThan(750)
  expect(naps[89]).toBeGreaterThanOrEqual(1000)
})

test('waiting ends with the reason of its signal', async () => {
  const stop = new AbortController()
  const reason = new Error('enough')
  site.endpoint.script = (_, response) => {
    response.end(JSON.stringify(functionOf({ update: 'InProgress' })))
    if (site.endpoint.asked.length === 3) stop.abort(reason)
  }

  await expect(update(wanted, stop.signal)).rejects.toBe(reason)
})

interface Listed {
  readonly berthId: BerthId
  readonly hash?: string
  /** Undefined when it is deleted before it is asked for. */
  readonly now?: { readonly image: string; readonly hash?: string | undefined }
}

/** Lists the pages, each with a function of somebody else at its end; tells how many requests of each pool it took. */
const listed = async (pages: readonly (readonly Listed[])[]) => {
  const functions = new Map(pages.flat().map((one) => [`berth-${one.berthId}`, one]))
  const pageOf = (index: number) => ({
    Functions: [...(pages[index] ?? []), { berthId: 'tool', hash: 'h' }].map(({ berthId, hash }) => ({
      FunctionName: `berth-${berthId}`,
      CodeSha256: hash,
    })),
    NextMarker: index + 1 < pages.length ? String(index + 1) : '',
  })
  site.endpoint.script = ({ url }, response) => {
    const asked = new URL(url, 'http://host')
    if (asked.pathname.endsWith('/functions'))
      return void response.end(JSON.stringify(pageOf(Number(asked.searchParams.get('Marker') ?? 0))))
    const now = functions.get(asked.pathname.split('/').at(-1) ?? '')?.now
    if (now === undefined) return lambdaError(response, { status: 404, name: 'ResourceNotFoundException' })
    const { Code, Configuration } = functionOf(now)
    return void response.end(JSON.stringify({ Code, Configuration: { ...Configuration, CodeSha256: now.hash } }))
  }
  const fleet = createLambdaFleet(site.cell, { clock: hasty, ids: site.ids })
  const before = { ...site.taken }
  const members = await collect(fleet.list({ signal: quiet() }))
  const took = (pool: 'lambda' | 'getFunction') => (site.taken[pool] ?? 0) - (before[pool] ?? 0)
  return { members, pages: took('lambda'), looks: took('getFunction') }
}

const many = (count: number, hash: string, image: string): readonly Listed[] =>
  Array.from({ length: count }, () => ({ berthId: site.ids.berthId(), hash, now: { image, hash } }))

test('the fleet is listed by pages, and each hash of code is looked up once', async () => {
  const pages = [many(50, 'x', old), [...many(20, 'x', old), ...many(30, 'y', wanted)], many(5, 'y', wanted)]

  const { members, ...took } = await listed(pages)

  expect(members).toEqual(pages.flat().map(({ berthId, now }) => ({ berthId, image: now?.image ?? '', unsure: true })))
  expect(took).toEqual({ pages: 3, looks: 2 })
})

test('a function that was changed or deleted after it was listed tells nothing of the others with its hash', async () => {
  const [moved, gone, still] = [site.ids.berthId(), site.ids.berthId(), site.ids.berthId()]
  const page = [
    { berthId: moved, hash: 'x', now: { image: wanted, hash: 'y' } },
    { berthId: gone, hash: 'x' },
    { berthId: still, hash: 'x', now: { image: old, hash: 'x' } },
  ]

  expect((await listed([page])).members.map(({ berthId, image }) => [berthId, image])).toEqual([
    [moved, wanted],
    [still, old],
  ])
})

test('functions whose hash is not told are looked up one by one', async () => {
  const [one, two] = [site.ids.berthId(), site.ids.berthId()]
  const page = [
    { berthId: one, now: { image: old } },
    { berthId: two, now: { image: wanted } },
  ]

  const { members, looks } = await listed([page])

  expect([members.map(({ image }) => image), looks]).toEqual([[old, wanted], 2])
})
