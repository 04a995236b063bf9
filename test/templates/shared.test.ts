import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { BerthId } from '../../src/domain/ids.ts'
import { excessesOf, reachesFor, rightsOf } from './berth-requests.ts'
import { arbitraryBerthId, arn, foundationOf, roleOf, type Settings, swap, type Tampering } from './cell.ts'
import { anything, documentOf, policiesOf } from './policies.ts'
import { parseTemplate } from './read-template.ts'
import { type Resolved, resolveTemplate } from './resolve-template.ts'
import { type Caller, labels, letThrough, type Request } from './simulate.ts'

const path = fileURLToPath(new URL('../../templates/shared.yaml', import.meta.url))
const text = readFileSync(path, 'utf8')
const untouched: Tampering = (template) => template

const sharedOf = (settings: Settings = {}, tamper: Tampering = untouched): Resolved => {
  const { outputs } = foundationOf(settings)
  return resolveTemplate(parseTemplate(tamper(text)), 'berth-shared', {
    ImageUri: `${outputs['RepositoryUri'] ?? ''}@sha256:${'a'.repeat(64)}`,
    BoundaryArn: outputs['BoundaryArn'] ?? '',
    SubnetIds: outputs['SubnetIds'] ?? '',
    SecurityGroupIds: outputs['SecurityGroupIds'] ?? '',
  })
}

/** The code in the shared function, as AWS sees it. */
const sharedCode = (settings: Settings = {}, tamper: Tampering = untouched): Caller => {
  const shared = sharedOf(settings, tamper)
  const tags = shared.resources['Role']?.Properties['Tags'] as readonly {
    readonly Key: string
    readonly Value: string
  }[]
  return {
    principal: shared.outputs['RoleArn'] ?? '',
    tags: Object.fromEntries(tags.map((tag) => [tag.Key, tag.Value])),
    policies: policiesOf(shared, 'Role'),
    boundary: documentOf(foundationOf(settings), 'Boundary'),
  }
}

const ownLog: readonly Request[] = ['logs:CreateLogStream', 'logs:PutLogEvents'].map((action) => ({
  label: action,
  action,
  resource: arn.logStream('/berth/berths/shared'),
}))
/** All that a berth may do, and all that none may. */
const foreign = (id: BerthId, other: BerthId): readonly Request[] => [
  ...rightsOf(id),
  ...reachesFor(id, other),
  ...excessesOf(id),
]

test('the template is clean and small enough to be sent inline', { timeout: 120_000 }, () => {
  const linter = fileURLToPath(new URL('../../.venv/bin/cfn-lint', import.meta.url))

  expect(execFileSync(linter, ['--format', 'parseable', '--', path], { encoding: 'utf8' })).toBe('')
  expect(Buffer.byteLength(text)).toBeLessThan(51_200)
})

test('the function keeps its tenants apart, logs into its own group, and its role has the boundary', () => {
  const { resources, outputs } = sharedOf()

  expect(resources['Function']?.Properties).toMatchObject({
    FunctionName: 'berth-shared',
    TenancyConfig: { TenantIsolationMode: 'PER_TENANT' },
    LoggingConfig: { LogFormat: 'JSON', LogGroup: '/berth/berths/shared' },
    Environment: { Variables: { BERTH_RUNNER_PROFILE: 'default' } },
  })
  expect(resources['Role']?.Properties['PermissionsBoundary']).toBe(foundationOf().outputs['BoundaryArn'])
  expect(Object.keys(outputs).toSorted()).toEqual([
    'FunctionArn',
    'FunctionName',
    'LogGroupName',
    'RoleArn',
    'RoleName',
  ])
})

test.each([
  ['role policy and boundary together', (code: Caller): Caller => code],
  ['the role policy alone', (code: Caller): Caller => ({ ...code, boundary: undefined })],
  ['the boundary alone', (code: Caller): Caller => ({ ...code, policies: [anything] })],
])('its code may write its log, and reach nothing of any berth: %s', async (_, layer) => {
  const pair = fc.uniqueArray(arbitraryBerthId, { minLength: 2, maxLength: 2 })
  await fc.assert(
    fc.asyncProperty(pair, async ([id, other]) => {
      if (id === undefined || other === undefined) return
      expect(await letThrough(layer(sharedCode()), ownLog)).toEqual(labels(ownLog))
      expect(await letThrough(layer(sharedCode()), foreign(id, other))).toEqual([])
    }),
    { numRuns: 3 },
  )
})

test('control: with the tag of a berth the boundary would open that berth, so the tag is what shuts it', async () => {
  const id = 'baaaaaaaaaaaaaaa' as BerthId
  const code = { ...sharedCode(), policies: [anything] }

  expect(await letThrough({ ...code, tags: { berth: id } }, rightsOf(id))).toEqual(labels(rightsOf(id)))
  expect(await letThrough(code, rightsOf(id))).toEqual([])
})

test('control: a role policy for all logs is seen', async () => {
  const id = 'baaaaaaaaaaaaaaa' as BerthId
  const tamper = swap('log-group:/${Deployment}/berths/shared:*', 'log-group:*')
  const roleAlone = { ...sharedCode({}, tamper), boundary: undefined }

  expect(await letThrough(roleAlone, rightsOf(id))).not.toEqual([])
})

const one = (action: string, resource: string): Request => ({ label: action, action, resource })

test('the server may invoke the function and keep its marks, and change nothing of it; a rollout may update it', async () => {
  const [server, rollout] = [roleOf('ServerRole'), roleOf('RolloutRole')]
  const shared = arn.function('berth-shared')
  const use = [one('lambda:InvokeFunction', shared), one('lambda:GetFunction', shared)]
  const update = one('lambda:UpdateFunctionCode', shared)
  const marks = ['s3:PutObject', 's3:GetObject', 's3:DeleteObject', 's3:DeleteObjectVersion'].map((action) =>
    one(action, arn.object('shared/baaaaaaaaaaaaaaa')),
  )
  const others = [
    one('lambda:DeleteFunction', shared),
    one('lambda:PutFunctionConcurrency', shared),
    one('lambda:UpdateFunctionConfiguration', shared),
    one('lambda:AddPermission', shared),
    one('lambda:InvokeFunction', arn.function('berth-shared-b')),
    one('s3:PutObject', arn.object('sharedx/a')),
  ]

  expect(await letThrough(server, [...use, ...marks, update, ...others])).toEqual(labels([...use, ...marks]))
  expect(await letThrough(rollout, [...use, ...marks, update, ...others])).toEqual(labels([...use, update]))
})
