// @module-tag aws-local
import {
  CreatePolicyCommand,
  CreateRoleCommand,
  PutRolePolicyCommand,
  SimulatePrincipalPolicyCommand,
} from '@aws-sdk/client-iam'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AwsSite, errorOf, onAndOff, openSite, TRUST_LAMBDA, uniqueName } from './aws-site.ts'

let site: AwsSite
beforeAll(async () => {
  site = await openSite()
})
afterAll(() => site?.[Symbol.asyncDispose]())

const allow = (Resource: string, Condition?: object) => ({
  Effect: 'Allow',
  Action: 's3:GetObject',
  Resource,
  ...(Condition && { Condition }),
})
const document = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement })
const MINE = 'arn:aws:s3:::tenants/berths/mine/a'
const THEIRS = 'arn:aws:s3:::tenants/berths/theirs/a'

/** A role below a path; its ARN. */
const roleWith = async (policy: string, boundary?: string): Promise<string> => {
  const RoleName = uniqueName()
  const made = await site.iam.send(
    new CreateRoleCommand({
      RoleName,
      Path: '/berth/berths/',
      AssumeRolePolicyDocument: JSON.stringify(TRUST_LAMBDA),
      ...(boundary !== undefined && { PermissionsBoundary: boundary }),
    }),
  )
  await site.iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'own', PolicyDocument: policy }))
  return made.Role?.Arn ?? ''
}

const decisions = async (role: string, context: Readonly<Record<string, string>> = {}): Promise<unknown> => {
  const { EvaluationResults = [] } = await site.iam.send(
    new SimulatePrincipalPolicyCommand({
      PolicySourceArn: role,
      ActionNames: ['s3:GetObject'],
      ResourceArns: [MINE, THEIRS],
      ContextEntries: Object.entries(context).map(([ContextKeyName, value]) => ({
        ContextKeyName,
        ContextKeyType: 'string',
        ContextKeyValues: [value],
      })),
    }),
  )
  return EvaluationResults.map(({ EvalDecision }) => EvalDecision)
}

describe('the simulation of policies', () => {
  test('finds the policies of a role below a path, for every resource', async () => {
    const role = await roleWith(document(allow(MINE)))

    const [on, off] = await onAndOff(site, ['simulation'], () => decisions(role))

    expect(on).toEqual(['allowed', 'implicitDeny'])
    expect(off).toEqual(['implicitDeny'])
  })

  test('goes by the boundary', async () => {
    const { Policy } = await site.iam.send(
      new CreatePolicyCommand({ PolicyName: uniqueName(), PolicyDocument: document(allow(THEIRS)) }),
    )

    expect(await decisions(await roleWith(document(allow('*')), Policy?.Arn))).toEqual(['implicitDeny', 'allowed'])
  })

  test('goes by the context that it is given, in resources and in conditions', async () => {
    const byTag = await roleWith(document(allow('arn:aws:s3:::tenants/berths/${aws:PrincipalTag/berth}/*')))
    const secure = await roleWith(document(allow('*', { Bool: { 'aws:SecureTransport': 'true' } })))

    expect(await decisions(byTag, { 'aws:PrincipalTag/berth': 'theirs' })).toEqual(['implicitDeny', 'allowed'])
    expect(await decisions(byTag)).toEqual(['implicitDeny', 'implicitDeny'])
    expect(await decisions(secure, { 'aws:SecureTransport': 'true' })).toEqual(['allowed', 'allowed'])
    expect(await decisions(secure, { 'aws:SecureTransport': 'false' })).toEqual(['implicitDeny', 'implicitDeny'])
  })

  test('tells an explicit Deny from what nobody allows', async () => {
    const role = await roleWith(document(allow('*'), { ...allow(THEIRS), Effect: 'Deny' }))

    expect(await decisions(role)).toEqual(['allowed', 'explicitDeny'])
  })

  test('knows no role that is not there', async () => {
    const gone = (await roleWith(document(allow('*')))).replace(/[^/]*$/, 'nobody')

    expect(await errorOf(decisions(gone))).toBe('NoSuchEntityException')
  })
})
