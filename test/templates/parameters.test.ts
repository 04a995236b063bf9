import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { logGroupOf, nameOf, rolePathOf } from '../../src/backends/lambda/names.ts'
import type { BerthId } from '../../src/domain/ids.ts'
import { berthOf, foundationOf } from './cell.ts'
import { parseTemplate, type TemplateName, templateText } from './read-template.ts'
import { policiesOf } from './policies.ts'
import { ACCOUNT, REGION } from './resolve-template.ts'

const names: readonly TemplateName[] = ['tenant', 'foundation']
const templates = {
  tenant: parseTemplate(templateText('tenant')),
  foundation: parseTemplate(templateText('foundation')),
}
const id = 'baaaaaaaaaaaaaaa' as BerthId
const longest = 'd'.repeat(31)

test.each(names)('every parameter of %s is bounded and says what it wants', (name) => {
  const parameters = Object.entries(templates[name].Parameters)
  const texts = parameters.filter(([, { Type }]) => Type === 'String')
  const defaults = texts.filter(([, parameter]) => parameter.Default !== undefined)

  for (const [key, parameter] of parameters) {
    expect(parameter.AllowedPattern ?? parameter.AllowedValues ?? parameter.MinValue, key).toBeDefined()
    expect(parameter.ConstraintDescription, key).toMatch(/^must be /)
  }
  for (const [key, parameter] of texts) expect(parameter.AllowedPattern, key).toMatch(/^\^.*\$$/)
  for (const [key, parameter] of defaults)
    expect(String(parameter.Default), key).toMatch(new RegExp(parameter.AllowedPattern ?? '^never$'))
})

const accepted = (name: TemplateName, parameter: string, value: string): boolean =>
  new RegExp(templates[name].Parameters[parameter]?.AllowedPattern ?? '^never$').test(value)

test('an image is named by digest, never by tag', () => {
  const repository = `${ACCOUNT}.dkr.ecr.${REGION}.amazonaws.com/berth-foundation-repository-a1`
  const digest = `sha256:${'0a'.repeat(32)}`

  expect(accepted('tenant', 'ImageUri', `${repository}@${digest}`)).toBe(true)
  for (const wrong of [
    `${repository}:latest`,
    `${repository}:v1@${digest}`,
    repository,
    `docker.io/x@${digest}`,
    `${repository}@sha256:abc`,
  ])
    expect(accepted('tenant', 'ImageUri', wrong), wrong).toBe(false)
})

test('no name carries a wildcard or a path into a policy', () => {
  for (const wrong of [
    'b???????????????',
    'b**************a',
    'baaaaaaaaaaaaaa/',
    'BAAAAAAAAAAAAAAA',
    'baaaaaaaaaaaaaaaa',
    '',
  ])
    expect(accepted('tenant', 'BerthId', wrong), wrong).toBe(false)
  for (const wrong of ['', 'Berth', '*', 'a/b', '1a', 'a'.repeat(32)]) {
    expect(accepted('tenant', 'Deployment', wrong), wrong).toBe(false)
    expect(accepted('foundation', 'Deployment', wrong), wrong).toBe(false)
  }
  for (const wrong of ['*', 'a/*', 'a', 'a/b/c', 'a@1/b'])
    expect(accepted('foundation', 'GitHubRepository', wrong), wrong).toBe(false)
  for (const wrong of ['*', '', 'ref:refs/heads/*', 'environment:*', 'pull_request'])
    expect(accepted('foundation', 'GitHubSubject', wrong), wrong).toBe(false)
  for (const wrong of ['*', 'arn:aws:iam::111122223333:role/*'])
    expect(accepted('foundation', 'ServerPrincipalArn', wrong), wrong).toBe(false)
})

test('a berth’s stack bears the names that the code expects, for the longest deployment too', () => {
  for (const deployment of ['berth', longest]) {
    const { outputs } = berthOf(id, foundationOf({ deployment }), { deployment })
    const name = nameOf(deployment, id)

    expect(name.length).toBeLessThanOrEqual(64)
    expect(outputs).toEqual({
      FunctionArn: `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`,
      FunctionName: name,
      RoleArn: `arn:aws:iam::${ACCOUNT}:role${rolePathOf(deployment)}${name}`,
      RoleName: name,
      LogGroupName: logGroupOf(deployment, id),
    })
  }
})

test('function, role and log group bear the tags by which reconcile finds them', () => {
  const { resources } = berthOf(id, foundationOf())
  const tags = [
    { Key: 'berth', Value: id },
    { Key: 'berth:deployment', Value: 'berth' },
  ]

  for (const [name, resource] of Object.entries(resources)) expect(resource.Properties['Tags'], name).toEqual(tags)
})

test('a VPC and reserved concurrency appear only when asked for', () => {
  const plain = berthOf(id, foundationOf()).resources['Function']?.Properties
  const inVpc = berthOf(id, foundationOf({ foundation: { Vpc: 'true' } })).resources['Function']?.Properties

  expect(plain).not.toHaveProperty('VpcConfig')
  expect(plain).not.toHaveProperty('ReservedConcurrentExecutions')
  expect(inVpc?.['VpcConfig']).toEqual({
    SubnetIds: ['subneta', 'subnetb'],
    SecurityGroupIds: ['functionsecuritygroup.GroupId'],
  })
})

test('the foundation gives what the server needs, and leaves out what is not there', () => {
  const always = [
    'BucketName',
    'RepositoryUri',
    'BoundaryArn',
    'StackRoleArn',
    'ServerRoleArn',
    'RolloutRoleArn',
    'WantedImageParameter',
    'NoEgress',
    'RunRetentionDays',
  ]
  const plain = foundationOf().outputs
  const full = foundationOf({ foundation: { Vpc: 'true', GitHubRepository: 'a/b' } }).outputs

  expect(Object.keys(plain).toSorted()).toEqual(always.toSorted())
  expect(Object.keys(full).toSorted()).toEqual([...always, 'GitHubRoleArn', 'SubnetIds', 'SecurityGroupIds'].toSorted())
  expect(plain['NoEgress']).toBe('false')
  expect(full['NoEgress']).toBe('true')
  expect(plain['WantedImageParameter']).toBe('/berth/wanted-image')
})

const size = (value: unknown): number => JSON.stringify(value).length

test('policies stay within the sizes of IAM, for the longest deployment too', () => {
  const settings = { deployment: longest, foundation: { Vpc: 'true', GitHubRepository: 'a/b' } }
  const foundation = foundationOf(settings)
  const stacks = [foundation, berthOf(id, foundation, settings)]
  const managed = stacks.flatMap(({ resources }) =>
    Object.values(resources).filter((one) => one.Type === 'AWS::IAM::ManagedPolicy'),
  )
  const roles = stacks.flatMap((stack) =>
    Object.entries(stack.resources)
      .filter(([, one]) => one.Type === 'AWS::IAM::Role')
      .map(([name, role]) => ({
        name,
        role,
        inline: policiesOf(stack, name).filter((one) => one.name !== 'RolloutPolicy'),
      })),
  )

  expect([managed.length, roles.length]).toEqual([2, 5])
  for (const policy of managed) expect(size(policy.Properties['PolicyDocument'])).toBeLessThan(6144)
  for (const { name, role, inline } of roles) {
    expect(size(inline.map(({ policy }) => policy)), name).toBeLessThan(10_240)
    expect(size(role.Properties['AssumeRolePolicyDocument']), name).toBeLessThan(2048)
  }
})

test('the README describes every parameter and every output', () => {
  const readme = readFileSync(new URL('../../templates/README.md', import.meta.url), 'utf8')
  for (const name of names) {
    const section = readme.slice(
      readme.indexOf(`## ${name}.yaml`),
      name === 'tenant' ? readme.indexOf('## foundation.yaml') : undefined,
    )
    for (const key of [...Object.keys(templates[name].Parameters), ...Object.keys(templates[name].Outputs)])
      expect(section, `${name}: ${key}`).toContain(`| \`${key}\` |`)
  }
})
