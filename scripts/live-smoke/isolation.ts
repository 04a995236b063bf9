import { randomBytes } from 'node:crypto'
import { GetRoleCommand, SimulatePrincipalPolicyCommand } from '@aws-sdk/client-iam'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { z } from 'zod'
import type { Cell } from '../../src/aws/cell.ts'
import { awsFailureOf } from '../../src/aws/aws-errors.ts'
import { invokeBerth } from '../../src/backends/lambda/invoke-berth.ts'
import { filesPrefixOf, nameOf, prefixOf } from '../../src/backends/lambda/names.ts'
import type { BerthId } from '../../src/domain/ids.ts'
import { NotTried } from './findings.ts'

export interface Pair {
  readonly mine: BerthId
  readonly theirs: BerthId
  readonly signal: AbortSignal
}

type Check = { readonly name: string; readonly passed: boolean; readonly detail: string }

const answerSchema = z.object({
  checks: z.array(z.object({ name: z.string(), passed: z.boolean(), detail: z.string() })),
})

/** The runner in one berth tries the other's prefix, where a file really lies, with the credentials that Lambda gave it. */
export const tryPrefixes = async (cell: Cell, { mine, theirs, signal }: Pair): Promise<ReadonlyMap<string, Check>> => {
  const token = randomBytes(16).toString('hex')
  const file = 'smoke.txt'
  for (const berthId of [mine, theirs]) {
    const object = { Bucket: cell.foundation.bucket, Key: `${filesPrefixOf(berthId)}${file}`, Body: token }
    await cell.clients.s3.send(new PutObjectCommand(object), { abortSignal: signal })
  }
  const event = {
    protocol: 1,
    kind: 'self_test',
    bucket: cell.foundation.bucket,
    prefix: prefixOf(mine),
    file,
    token,
    otherPrefix: prefixOf(theirs),
    noEgress: cell.foundation.noEgress,
  }
  const { answer, failure } = await invokeBerth(cell, { berthId: mine, event, signal })
  if (failure !== null) throw new Error(`the self-test ended so: ${failure.type} ${failure.message}`)
  return new Map(answerSchema.parse(answer).checks.map((check) => [check.name, check]))
}

export const passed = (checks: ReadonlyMap<string, Check>, name: string): string => {
  const check = checks.get(name)
  if (check?.passed !== true) throw new Error(check?.detail ?? 'the runner did not make this check')
  return check.detail
}

interface Question {
  readonly action: string
  readonly resource: string
  readonly allowed: boolean
}

const no = (action: string, resource: string): Question => ({ action, resource, allowed: false })

const questionsOf = (cell: Cell, { mine, theirs }: Pair, account: string): readonly Question[] => {
  const bucket = `arn:aws:s3:::${cell.foundation.bucket}`
  const theirName = nameOf(cell.deployment, theirs)
  const role = `arn:aws:iam::${account}:role/${cell.deployment}/berths/${theirName}`
  const fn = `arn:aws:lambda:${cell.region}:${account}:function:${theirName}`
  return [
    { action: 's3:GetObject', resource: `${bucket}/${filesPrefixOf(mine)}a`, allowed: true },
    { action: 's3:PutObject', resource: `${bucket}/${prefixOf(mine)}runs/r/a`, allowed: true },
    no('s3:PutObject', `${bucket}/${filesPrefixOf(mine)}a`),
    no('s3:DeleteObject', `${bucket}/${filesPrefixOf(mine)}a`),
    no('s3:GetObject', `${bucket}/${filesPrefixOf(theirs)}a`),
    no('s3:PutObject', `${bucket}/${prefixOf(theirs)}runs/r/a`),
    // A prefix that only begins the same.
    no('s3:GetObject', `${bucket}/berths/${mine}0/files/a`),
    no('lambda:InvokeFunction', fn),
    no('lambda:UpdateFunctionCode', fn),
    no('sts:AssumeRole', role),
    no('iam:PutRolePolicy', role),
    no('cloudformation:CreateStack', '*'),
  ]
}

/** IAM itself evaluates role, boundary and tag as they stand; nothing is attempted. @throws with what differs */
export const simulateRole = async (cell: Cell, pair: Pair): Promise<string> => {
  const options = { abortSignal: pair.signal }
  const RoleName = nameOf(cell.deployment, pair.mine)
  const { Role } = await cell.clients.iam.send(new GetRoleCommand({ RoleName }), options)
  const arn = Role?.Arn ?? ''
  const wrong: string[] = []
  const questions = questionsOf(cell, pair, arn.split(':')[4] ?? '')
  for (const { action, resource, allowed } of questions) {
    const command = new SimulatePrincipalPolicyCommand({
      PolicySourceArn: arn,
      ActionNames: [action],
      ResourceArns: [resource],
      ContextEntries: [
        { ContextKeyName: 'aws:PrincipalTag/berth', ContextKeyType: 'string', ContextKeyValues: [pair.mine] },
        { ContextKeyName: 'aws:SecureTransport', ContextKeyType: 'boolean', ContextKeyValues: ['true'] },
      ],
    })
    const { EvaluationResults = [] } = await cell.clients.iam.send(command, options).catch((error: unknown) => {
      if (awsFailureOf(error)?.name === 'AccessDenied')
        throw new NotTried('these credentials may not simulate policies')
      throw error
    })
    const isAllowed = EvaluationResults[0]?.EvalDecision === 'allowed'
    if (isAllowed !== allowed) wrong.push(`${action} on ${resource} is ${isAllowed ? 'allowed' : 'denied'}`)
  }
  if (wrong.length > 0) throw new Error(wrong.join('; '))
  return `${questions.length} questions answered as expected`
}
