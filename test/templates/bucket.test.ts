import { expect, test } from 'vitest'
import { prefixOf } from '../../src/backends/lambda/names.ts'
import type { BerthId } from '../../src/domain/ids.ts'
import { arn, codeIn, foundationOf, roleOf, type Settings, swap } from './cell.ts'
import { anything, documentOf } from './policies.ts'
import { ACCOUNT } from './resolve-template.ts'
import { type Caller, isAllowed, type Request } from './simulate.ts'

const id = 'baaaaaaaaaaaaaaa' as BerthId
const vpc = { foundation: { Vpc: 'true' } }
const read: Request = { label: 'read', action: 's3:GetObject', resource: arn.object(`${prefixOf(id)}files/a`) }
const tls = { 'aws:SecureTransport': 'true' }
const admin: Caller = { principal: `arn:aws:iam::${ACCOUNT}:role/admin`, policies: [anything] }

const reads = (caller: Caller, settings: Settings, context: Readonly<Record<string, string>>): Promise<boolean> =>
  isAllowed(
    {
      ...caller,
      resourcePolicy: documentOf(foundationOf(settings), 'BucketPolicy'),
      context: { ...caller.context, ...context },
    },
    read,
  )

test('nobody reads the bucket without TLS', async () => {
  for (const caller of [codeIn(id), roleOf('ServerRole'), admin]) {
    expect(await reads(caller, {}, tls), caller.principal).toBe(true)
    expect(await reads(caller, {}, { 'aws:SecureTransport': 'false' }), caller.principal).toBe(false)
  }
  const off = { tamperFoundation: swap("'aws:SecureTransport': 'false'", "'aws:SecureTransport': 'never'") }
  expect(await reads(admin, off, { 'aws:SecureTransport': 'false' })).toBe(true)
})

test('with a VPC, a function’s credentials are worth nothing outside it, and neither are an administrator’s', async () => {
  const through = { ...tls, 'aws:SourceVpce': 's3endpoint' }
  const elsewhere = { ...tls, 'aws:SourceVpce': 'vpce-0a' }

  expect(await reads(codeIn(id, vpc), vpc, through)).toBe(true)
  expect(await reads(codeIn(id, vpc), vpc, elsewhere)).toBe(false)
  expect(await reads(codeIn(id, vpc), vpc, tls)).toBe(false)
  expect(await reads(admin, vpc, tls)).toBe(false)
  const off = {
    ...vpc,
    tamperFoundation: swap("StringNotEquals: { 'aws:SourceVpce'", "StringEquals: { 'aws:SourceVpce'"),
  }
  expect(await reads(codeIn(id, vpc), off, tls)).toBe(true)
})

test('with a VPC, what the server signed is still read from a browser', async () => {
  const off = {
    ...vpc,
    tamperFoundation: swap("'aws:PrincipalArn': !GetAtt ServerRole.Arn", "'aws:PrincipalArn': arn:aws:iam::1:role/x"),
  }

  expect(await reads(roleOf('ServerRole', vpc), vpc, tls)).toBe(true)
  expect(await reads(roleOf('ServerRole', vpc), off, tls)).toBe(false)
})

test('the endpoint leads to this bucket alone, and for berths’ roles alone', async () => {
  const endpointPolicy = documentOf(foundationOf(vpc), 'S3Endpoint')
  const code = { ...codeIn(id, vpc), endpointPolicy }
  const theirs = { ...read, resource: 'arn:aws:s3:::elsewhere/loot' }

  expect(await isAllowed(code, read)).toBe(true)
  expect(await isAllowed({ ...admin, endpointPolicy }, read)).toBe(false)
  expect(await isAllowed({ ...code, policies: [anything], boundary: anything.policy }, theirs)).toBe(false)
  const open = { ...code, endpointPolicy: undefined }
  expect(await isAllowed({ ...open, policies: [anything], boundary: anything.policy }, theirs)).toBe(true)
})

test('the bucket keeps versions, is encrypted, and is never public', () => {
  const bucket = foundationOf().resources['Bucket']?.Properties

  expect(bucket).toMatchObject({
    VersioningConfiguration: { Status: 'Enabled' },
    PublicAccessBlockConfiguration: {
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    },
    OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
  })
  expect(JSON.stringify(bucket?.['BucketEncryption'])).toContain('AES256')
})

const propertiesOf = (id: string, settings: Settings = {}) => foundationOf(settings).resources[id]?.Properties ?? {}

test('the lifecycle never touches a tenant’s present files', () => {
  const { Rules } = propertiesOf('Bucket')['LifecycleConfiguration'] as {
    readonly Rules: readonly Readonly<Record<string, unknown>>[]
  }
  const expiring = Rules.filter((rule) => 'ExpirationInDays' in rule)

  expect(expiring).toHaveLength(1)
  expect(expiring[0]?.['TagFilters']).toEqual([{ Key: 'berth-area', Value: 'run' }])
  expect(Rules.map((rule) => rule['Id'])).toEqual(['run-outputs', 'noncurrent-versions', 'unfinished-uploads'])
})

test('no image that a tag names ever expires, no tag moves, and Lambda alone pulls from outside', () => {
  const repository = propertiesOf('Repository')
  const { LifecyclePolicyText } = repository['LifecyclePolicy'] as { readonly LifecyclePolicyText: string }
  const { rules } = JSON.parse(LifecyclePolicyText) as {
    readonly rules: readonly { readonly selection: { readonly tagStatus: string } }[]
  }

  expect(rules.map((rule) => rule.selection.tagStatus)).toEqual(['untagged'])
  expect(repository).toMatchObject({
    ImageTagMutability: 'IMMUTABLE',
    ImageScanningConfiguration: { ScanOnPush: true },
  })
  const [statement, ...others] = documentOf(foundationOf(), 'Repository', 'RepositoryPolicyText').Statement
  expect(others).toEqual([])
  expect(statement?.Principal).toEqual({ Service: 'lambda.amazonaws.com' })
})

test('the network has no way out: no gateway, no NAT, no route, nothing let in', () => {
  const { resources } = foundationOf(vpc)
  const types = Object.values(resources).map((resource) => resource.Type)

  for (const type of ['InternetGateway', 'NatGateway', 'Route', 'VPCPeeringConnection', 'TransitGatewayAttachment'])
    expect(types).not.toContain(`AWS::EC2::${type}`)
  expect(resources['FunctionSecurityGroup']?.Properties['SecurityGroupIngress']).toBeUndefined()
  expect(types.filter((type) => type === 'AWS::EC2::VPCEndpoint')).toHaveLength(1)
  const listed = foundationOf({ foundation: { Vpc: 'true', S3PrefixListId: 'pl-63a5400a' } })
  expect(listed.resources['FunctionSecurityGroup']?.Properties['SecurityGroupEgress']).toMatchObject([
    { FromPort: 443, ToPort: 443, DestinationPrefixListId: 'pl-63a5400a' },
  ])
})

test('the network’s resolver answers for the bucket’s name and for no other', () => {
  const { resources } = foundationOf(vpc)

  expect(resources['NamesOfTheBucket']?.Properties['Domains']).toEqual([
    's3.eu-central-1.amazonaws.com',
    'berth-foundation-bucket.s3.eu-central-1.amazonaws.com',
    'berth-foundation-bucket.s3.amazonaws.com',
  ])
  expect(resources['NameRules']?.Properties['FirewallRules']).toMatchObject([
    { Priority: 1, Action: 'ALLOW', FirewallDomainListId: 'namesofthebucket' },
    { Priority: 2, Action: 'BLOCK', FirewallDomainListId: 'everyname' },
  ])
  expect(resources['EveryName']?.Properties['Domains']).toEqual(['*'])
})
