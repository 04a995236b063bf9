// @module-tag aws-local
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CloudFormationClient, ListStacksCommand } from '@aws-sdk/client-cloudformation'
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ImageContent } from '../../scripts/aws-local/images.ts'
import { assumptions } from '../../scripts/live-smoke/assumptions.ts'
import { remember } from '../../scripts/live-smoke/record.ts'
import { type AwsLocal, startAwsLocal } from '../support/aws-local.ts'
import { bareEnvironment } from '../support/bare-environment.ts'

const root = join(import.meta.dirname, '../..')
let aws: AwsLocal
let records: string

beforeAll(async () => {
  aws = await startAwsLocal()
  records = await mkdtemp(join(tmpdir(), 'berth-smoke-records-'))
})
afterAll(async () => {
  await aws?.[Symbol.asyncDispose]()
  await rm(records, { recursive: true, force: true })
})

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

interface Smoke {
  readonly ended: Promise<Ended>
  /** Resolves when it has heard of the interruption. */
  readonly interrupt: () => Promise<void>
}

const smoke = (args: readonly string[]): Smoke => {
  const { promise, resolve } = Promise.withResolvers<Ended>()
  const command = [join(root, 'scripts/live-smoke.ts'), '--records', records, ...args]
  const env = { ...bareEnvironment(), ...aws.env }
  const child = execFile(process.execPath, command, { env, maxBuffer: 1e8 }, (error, stdout, stderr) =>
    resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
  )
  const says = (words: string) =>
    new Promise<void>((resolve) => {
      let said = ''
      child.stderr?.on('data', (text: string) => {
        said += text
        if (said.includes(words)) resolve()
      })
    })
  return {
    ended: promise,
    interrupt: async () => {
      const heard = says('ending and cleaning up')
      child.kill('SIGINT')
      await heard
    },
  }
}

/** What is there of passes; the image that a pass is given is not its own. */
const left = async (): Promise<readonly unknown[]> => {
  const { StackSummaries = [] } = await new CloudFormationClient(aws.client).send(new ListStacksCommand({}))
  const { Buckets = [] } = await new S3Client({ ...aws.client, forcePathStyle: true }).send(new ListBucketsCommand({}))
  const stacks = StackSummaries.filter(({ StackStatus }) => StackStatus !== 'DELETE_COMPLETE')
  return [...stacks.map(({ StackName }) => StackName), ...Buckets.map(({ Name }) => Name)]
}

const light: ImageContent = { kind: 'runner', profile: 'evaluator' }

const imageArgs = async (): Promise<readonly string[]> => {
  const image = await aws.image('v1', light, 'elsewhere')
  const second = await aws.image('v2', light, 'elsewhere')
  return [
    '--region',
    aws.region,
    '--image',
    image,
    '--second-image',
    second,
    '--own-credentials',
    '--hasty',
    '--yes',
    '--json',
  ]
}

/** The stand-in has no `cloudformation:RoleArn` in conditions, so a server cannot work there as its role. */
const differs = new Set(['server_role'])

test('a pass proves what the stand-in can show and leaves nothing behind', async () => {
  const { code, stdout, stderr } = await smoke(await imageArgs()).ended

  expect(stdout, stderr).not.toBe('')
  const { findings } = JSON.parse(stdout) as { findings: { id: string; verdict: string; detail: string }[] }
  const tried = assumptions.filter(({ id, whyNot }) => whyNot === undefined && !differs.has(id)).map(({ id }) => id)
  expect(
    findings.filter(({ verdict }) => verdict === 'proven').map(({ id }) => id),
    stderr,
  ).toEqual(tried)
  expect(findings.filter(({ verdict }) => verdict === 'refuted')).toEqual([])
  expect(stderr).toMatch(/live-smoke: berth\.ready b[a-z2-7]{15}/)
  expect(code).toBe(0)
  expect(await left()).toEqual([])
  expect(await readdir(records)).toEqual([])
})

test('a pass that breaks off takes away what it had made', async () => {
  const args = await imageArgs()
  const error = { code: 'AccessDeniedException', status: 400, message: 'no' }
  using fault = aws.control.fault({ action: 'PutParameter', kind: 'error', error })

  const { code, stderr } = await smoke(args).ended

  expect(fault.fired).toBe(1)
  expect(code, stderr).toBe(69)
  expect(await left()).toEqual([])
  expect(await readdir(records)).toEqual([])
})

test('a pass that is interrupted while berths are being tested takes them away as well', async () => {
  const args = await imageArgs()
  using fault = aws.control.fault({ action: 'Invoke', kind: 'hold', times: 2 })
  const pass = smoke(args)
  await fault.firstFired
  expect(await left()).toContainEqual(expect.stringMatching(/^smoke-[a-z0-9]{8}-b[a-z2-7]{15}$/))

  await pass.interrupt()
  // Else the server that ends would wait out its patience with AWS.
  fault.release()
  const { code, stderr } = await pass.ended

  expect(stderr).toContain('destroying berth')
  expect(code, stderr).toBe(69)
  expect(await left()).toEqual([])
  expect(await readdir(records)).toEqual([])
})

test('--clean finishes with a deployment of which nothing was made', async () => {
  const record = { deployment: 'smoke-abcdefgh', region: aws.region, profile: null, startedAt: '2026-11-22T00:00:00Z' }
  await remember(records, record)

  const { code, stderr } = await smoke(['--clean']).ended

  expect(code, stderr).toBe(0)
  expect(await readdir(records)).toEqual([])
})

test('every assumption has a step or a reason why there is none, and stands once', () => {
  const steps = ['steps.ts', '../live-smoke.ts'].map((name) =>
    readFileSync(join(root, 'scripts/live-smoke', name), 'utf8'),
  )
  const missing = assumptions.filter(
    ({ id, whyNot }) => whyNot === undefined && !steps.some((text) => text.includes(`'${id}'`)),
  )

  expect(missing).toEqual([])
  expect(new Set(assumptions.map(({ id }) => id)).size).toBe(assumptions.length)
})

test.each([
  [[], '--region is missing'],
  [['--region', 'eu-west-1', '--image', 'repo:tag'], '--image: expected <repository>@sha256:'],
  [['--nonsense'], "Unknown option '--nonsense'"],
])('arguments %j are refused before anything is made', async (args, said) => {
  const { code, stderr } = await smoke(args).ended

  expect(code).toBe(2)
  expect(stderr).toContain(said)
  expect(await readdir(records)).toEqual([])
})
