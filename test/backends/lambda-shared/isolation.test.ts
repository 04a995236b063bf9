// @module-tag aws-local
import { InvokeCommand } from '@aws-sdk/client-lambda'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sharedNameOf } from '../../../src/backends/lambda-shared/shared-function.ts'
import type { BerthId } from '../../../src/domain/ids.ts'
import { defaultRunLimits } from '../../../src/domain/limits.ts'
import { RUNNER_PROTOCOL } from '../../../src/domain/runner-protocol.ts'
import { bodyOf, codeOf, collect, quiet } from '../../contract/content.ts'
import { deployShared, openSharedSite, type SharedSite } from './shared-site.ts'

const signal = quiet()
let site: SharedSite
beforeAll(async () => {
  site = await openSharedSite()
})
afterAll(() => site?.[Symbol.asyncDispose]())

const made = async (): Promise<BerthId> => {
  const berthId = site.ids.berthId()
  await site.berths.create(berthId, { signal })
  return berthId
}

const requestOf = (code: string) => ({
  runId: site.ids.runId(),
  language: 'python' as const,
  code,
  variables: {},
  files: [] as string[],
  profile: 'default' as const,
  limits: defaultRunLimits,
  minRunnerVersion: 0,
})
const valueOf = async (berthId: BerthId, code: string): Promise<unknown> => {
  const reply = await site.dispatch.dispatch({ berthId, request: requestOf(code), signal })
  return reply.results.find(({ isMain }) => isMain)?.json
}

/** Tells environments apart: when the runner that forked this run was started, in ticks since the machine was. */
const environmentCode = 'open(f"/proc/{__import__(\'os\').getppid()}/stat").read().rsplit(")", 1)[1].split()[19]'

/** As anyone who may invoke a function can, with no word about a tenant in the event. */
const invokeBare = async (functionName: string, tenantId?: string): Promise<unknown> => {
  const event = { protocol: RUNNER_PROTOCOL, kind: 'run', ...requestOf(environmentCode), prefix: { kind: 'none' } }
  const { Payload } = await site.cell.clients.invoke.send(
    new InvokeCommand({ FunctionName: functionName, TenantId: tenantId, Payload: Buffer.from(JSON.stringify(event)) }),
  )
  const reply = JSON.parse(Payload?.transformToString() ?? '{}') as { results?: { json: unknown }[] }
  return reply.results?.[0]?.json ?? reply
}

test('two tenants never share an environment, and one tenant comes back to its own', async () => {
  const [ada, bea] = [await made(), await made()]

  const first = await valueOf(ada, environmentCode)
  const others = [await valueOf(bea, environmentCode), await valueOf(bea, environmentCode)]

  expect(first).toMatch(/^\d+$/)
  expect(others[0]).not.toBe(first)
  expect(others[1]).toBe(others[0])
  expect(await valueOf(ada, environmentCode)).toBe(first)
})

const withoutMode = (template: string): string =>
  template
    .replace('      TenancyConfig: { TenantIsolationMode: PER_TENANT }\n', '')
    .replaceAll('${Deployment}-shared', '${Deployment}-common')
    .replaceAll('/berths/shared', '/berths/common')

test('control: without the mode whoever comes next gets the same environment, and an invoke without a tenant is refused with it', async () => {
  await deployShared(site.home, { tamper: withoutMode, StackName: 'berth-common' })

  expect(await invokeBare('berth-common')).toBe(await invokeBare('berth-common'))
  await expect(invokeBare(sharedNameOf('berth'))).rejects.toThrow('enabled with tenancy configuration')
})

test('a run that says another tenant than Lambda does is refused by the runner', async () => {
  const [ada, bea] = [await made(), await made()]
  const event = { protocol: RUNNER_PROTOCOL, kind: 'run', ...requestOf('1'), prefix: { kind: 'none' }, tenant: ada }

  const { Payload } = await site.cell.clients.invoke.send(
    new InvokeCommand({
      FunctionName: sharedNameOf('berth'),
      TenantId: bea,
      Payload: Buffer.from(JSON.stringify(event)),
    }),
  )

  expect(JSON.parse(Payload?.transformToString() ?? '{}')).toMatchObject({ kind: 'refusal', code: 'malformed_request' })
})

test('the credentials in the function open no object of any berth', async () => {
  const report = await site.fleet.selfTest(await made(), { signal })

  expect(report.checks.find(({ name }) => name === 'other_prefix_refused')).toMatchObject({
    passed: true,
    detail: 'get: AccessDenied, list: AccessDenied, list of all: AccessDenied',
  })
})

test('files are refused with the way out; whoever asks for what is there learns that nothing is', async () => {
  const berthId = await made()
  const place = { berthId, area: 'files' } as const
  const run = site.dispatch.dispatch({ berthId, request: { ...requestOf('1'), files: ['a.csv'] }, signal })

  await expect(run).rejects.toMatchObject({ code: 'unsupported', message: expect.stringContaining('tenants move') })
  expect(site.dispatch.capabilities.files).toBe(false)
  expect(await codeOf(site.files.put(place, 'a', bodyOf('x'), { maxBytes: 9, signal }))).toBe('unsupported')
  expect(await codeOf(site.files.presign(place, 'a', { method: 'PUT', bytes: 1, signal }))).toBe('unsupported')
  expect(await site.files.list(place, { cursor: null, limit: 10, signal })).toEqual({ entries: [], nextCursor: null })
  expect(await site.files.get(place, 'a', { signal })).toBeNull()
  expect(await site.files.delete(place, 'a', { signal })).toBe(false)
  expect(await site.files.deleteAll(place, { signal })).toBe(0)
  expect(await site.files.usage(place, { signal })).toMatchObject({ bytes: 0 })
  expect(await site.files.listRuns(berthId, { untouchedSince: new Date(), signal })).toEqual([])
})

test('a suspension takes nothing from one tenant here, and says so', async () => {
  const berthId = await made()

  await site.berths.suspend(berthId, { signal })

  expect(await site.berths.standing(berthId, { signal })).toBe('nothing_to_suspend')
  expect(await site.berths.standing(site.ids.berthId(), { signal })).toBe('absent')
})

test('too many environments of tenants is a matter of waiting, and the run was not started', async () => {
  const berthId = await made()
  const error = { status: 429, code: 'TooManyRequestsException', message: 'Rate exceeded' }
  using fault = site.aws.control.fault({ service: 'lambda', action: 'Invoke', kind: 'error', error })

  const run = site.dispatch.dispatch({ berthId, request: requestOf('1'), signal })

  await expect(run).rejects.toMatchObject({
    code: 'backend_unavailable',
    retryAfterSeconds: 5,
    data: { started: false },
  })
  expect(fault.fired).toBe(1)
})

test('an update of the function is an update of every berth', async () => {
  const [ada, bea] = [await made(), await made()]
  const repository = site.cell.foundation.repositoryUri.split('/').slice(1).join('/')
  const next = await site.aws.image('v2', undefined, repository)

  await site.fleet.updateAll(next, { signal })

  const members = (await collect(site.fleet.list({ signal }))).filter(({ berthId }) => [ada, bea].includes(berthId))
  expect(members.map(({ image }) => image)).toEqual([next, next])
  expect(await codeOf(site.fleet.update(ada, site.image, { signal }))).toBe('unsupported')
})
