// @module-tag aws-local
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { presentVersion } from '../../../scripts/image/command.ts'
import { createStackBerths } from '../../../src/backends/lambda/stack-berths.ts'
import { createRandomIds } from '../../../src/main/random-ids.ts'
import { createSystemClock } from '../../../src/main/system-clock.ts'
import { berth } from '../../cli/berth-process.ts'
import { quiet } from '../../contract/content.ts'
import { connectAwsCell, quickPoll } from '../../support/aws-cell.ts'
import { type AwsLocal, startAwsLocal } from '../../support/aws-local.ts'
import { runScript } from './run-script.ts'
import { localImage, openJob, startGitHub, startScans } from './workflow-site.ts'

const SUBJECT = 'repo:owner/repository:environment:staging'
const scripts = join(import.meta.dirname, '../../../scripts')
/** A job has no keys of its own. */
const nobody = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' }
const clock = createSystemClock()

let aws: AwsLocal
beforeAll(async () => {
  aws = await startAwsLocal()
  // The SDK reads its own variables, in this process too.
  Object.assign(process.env, aws.env)
})
afterAll(() => aws?.[Symbol.asyncDispose]())

/** A deployment that the workflow of one repository may roll out to, and a job of it. */
const openSite = async (deployment: string, subject = SUBJECT) => {
  // The stand-in knows no identity providers, so it has none to make; it holds the role to its trust all the same.
  const set = ['GitHubRepository=owner/repository', 'GitHubSubject=environment:staging']
  const flags = set.flatMap((one) => ['--set', one])
  const made = await berth(['init', '--deployment', deployment, '--yes', '--json', ...flags], { env: aws.env })
  expect(made.code, made.stdout).toBe(0)
  const { outputs } = JSON.parse(made.stdout) as { outputs: Record<string, string> }
  const [github, job] = await Promise.all([startGitHub(subject), openJob()])
  const asRole = (
    script: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    interruptAt?: string,
  ) =>
    runScript(
      'image/as-role.ts',
      [
        '--role',
        outputs['GitHubRoleArn'] ?? '',
        '--region',
        aws.region,
        '--',
        process.execPath,
        join(scripts, script),
        ...args,
      ],
      { env: { ...aws.env, ...nobody, ...github.env, ...job.env, ...env }, ...(interruptAt && { interruptAt }) },
    )
  const push = (image: ReturnType<typeof localImage>) =>
    asRole(
      'image/push.ts',
      ['--local', 'berth-runner:built', '--region', aws.region, '--deployment', deployment],
      image.env,
    )
  return {
    deployment,
    repository: outputs['RepositoryUri'] ?? '',
    job,
    asRole,
    push,
    [Symbol.asyncDispose]: async () => {
      github[Symbol.dispose]()
      await job[Symbol.asyncDispose]()
    },
  }
}

test('the image is pushed with the role of the job, and every berth is brought to its digest', async () => {
  await using site = await openSite('flow')
  const { cell, clients, wantedImage } = await connectAwsCell({ region: aws.region, deployment: 'flow' })
  using _ = clients
  const old = await aws.image('old', undefined, site.repository.split('/').slice(1).join('/'))
  await wantedImage.write({ image: old, version: 1, fence: 0 }, { signal: quiet() })
  const berths = createStackBerths({ cell, wantedImage, clock }, { pollMs: quickPoll })
  await berths.create(createRandomIds(clock).berthId(), { signal: quiet() })
  const built = localImage('built')
  await aws.standIn.images.register(built.digest, { kind: 'runner' })

  const pushed = await site.push(built)
  const { image = '', version = '' } = await site.job.outputs()
  const again = await site.push(built)
  const place = ['--region', aws.region, '--deployment', 'flow', '--settle-seconds', '1']
  const rolled = await site.asRole('rollout.ts', [
    ...place,
    '--image',
    image,
    '--image-version',
    version,
    '--roll-back',
  ])

  expect(pushed.code, pushed.stderr).toBe(0)
  expect([image, version]).toEqual([`${site.repository}@${built.digest}`, String(presentVersion())])
  expect([again.code, again.stdout.trim()], again.stderr).toEqual([0, image])
  expect(again.stderr).toContain('was there')
  expect(rolled.code, rolled.stderr).toBe(0)
  expect(rolled.stdout).toContain('done: version')
  // What a log shows moves no cursor.
  expect(rolled.stdout + rolled.stderr).not.toContain('\u001b')
  const summary = await site.job.summary()
  expect(summary).toContain(`### Rollout of version ${version} to flow in ${aws.region}: done`)
  expect(summary).toContain(`| \`${image}\` | 1 |`)
}, 180_000)

test('a version is never given to other content, and what Lambda does not take is not rolled out', async () => {
  await using site = await openSite('taken')
  const first = await site.push(localImage('one'))
  const other = await site.push(localImage('another'))
  await using index = await openSite('index')
  const attested = await index.push(localImage('attested', 'application/vnd.oci.image.index.v1+json'))

  expect(first.code, first.stderr).toBe(0)
  expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('raise runner-image/VERSION') })
  expect(attested).toMatchObject({ code: 1, stderr: expect.stringContaining('--provenance=false') })
})

test('a job of another environment gets no role, and one without the right to tokens is told so', async () => {
  await using site = await openSite('foreign', 'repo:owner/repository:environment:production')
  const foreign = await site.push(localImage('one'))
  const tokenless = await runScript('image/as-role.ts', [
    '--role',
    'arn:aws:iam::1:role/x',
    '--region',
    'r',
    '--',
    'true',
  ])

  expect(foreign).toMatchObject({ code: 1, stderr: expect.stringContaining('GitHubSubject') })
  expect(tokenless).toMatchObject({ code: 1, stderr: expect.stringContaining('id-token: write') })
})

test('the command gets the role alone: nothing with which it could ask for more', async () => {
  await using site = await openSite('alone')
  const { stdout, code } = await site.asRole('../test/scripts/image/print-environment.ts', [])
  const canceled = await site.asRole('../test/scripts/image/print-environment.ts', ['--wait'], {}, '\n')
  const env = JSON.parse(stdout)

  expect(code).toBe(7)
  expect(env.AWS_SESSION_TOKEN).toBeTruthy()
  expect(env.AWS_ACCESS_KEY_ID).not.toBe(aws.credentials.accessKeyId)
  expect(Object.keys(env).filter((name) => name.startsWith('ACTIONS_ID_TOKEN'))).toEqual([])
  // A canceled job interrupts it, and it is for the command to end.
  expect(canceled.code, canceled.stderr).toBe(7)
})

const image = `123456789012.dkr.ecr.eu-west-1.amazonaws.com/berth@sha256:${'0'.repeat(64)}`
const scan = async (answers: Parameters<typeof startScans>[0], ...flags: readonly string[]) => {
  using ecr = await startScans(answers)
  await using job = await openJob()
  const env = { ...aws.env, ...job.env, ...ecr.env }
  const args = ['--region', 'eu-west-1', '--image', image, '--every-ms', '1', ...flags]
  const ended = await runScript('image/await-scan.ts', args, { env })
  return { ...ended, summary: await job.summary().catch(() => '') }
}
const notYet = { status: 400, body: { __type: 'ScanNotFoundException', message: 'none' } }
const going = { status: 200, body: { imageScanStatus: { status: 'IN_PROGRESS' } } }
const complete = (findingSeverityCounts: Readonly<Record<string, number>>) => ({
  status: 200,
  body: { imageScanStatus: { status: 'COMPLETE' }, imageScanFindings: { findingSeverityCounts } },
})

test('a scan is waited for, shown, and stops an image with a critical finding', async () => {
  const bad = await scan([notYet, going, complete({ CRITICAL: 1, LOW: 3 })])
  const good = await scan([complete({ HIGH: 2 })])
  const strict = await scan([complete({ HIGH: 2 })], '--worst', 'medium')
  const failed = await scan([
    { status: 200, body: { imageScanStatus: { status: 'FAILED', description: 'too large' } } },
  ])

  expect([bad.code, good.code, strict.code, failed.code], bad.stderr).toEqual([1, 0, 1, 1])
  expect(bad.stderr).toContain('findings that are critical')
  expect(bad.summary).toContain('| critical | 1 |')
  expect(good.stdout).toContain('high 2')
  expect(failed.stderr).toContain('FAILED: too large')
})
