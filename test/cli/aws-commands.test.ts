// @module-tag aws-local
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AwsLocal, startAwsLocal } from '../support/aws-local.ts'
import { berth } from './berth-process.ts'

let aws: AwsLocal
beforeAll(async () => {
  aws = await startAwsLocal()
})
afterAll(() => aws?.[Symbol.asyncDispose]())

const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  berth(args, { env: { ...aws.env, ...env } })
const json = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
  const { code, stdout } = await run([...args, '--json'], env)
  return { code, ...JSON.parse(stdout) }
}
/** Each test has a deployment of its own, so that they may come in any order. */
const place = (deployment: string) => ['--deployment', deployment]
const foundation = async (deployment: string) => json(['init', ...place(deployment), '--yes'])

describe('berth init', () => {
  test('shows what would change, and changes nothing when it is only to show', async () => {
    const shown = await json(['init', ...place('shown'), '--dry-run'])
    const doctor = await json(['doctor'], {
      BERTH_BACKEND: 'lambda',
      BERTH_CELLS: JSON.stringify([{ name: 'home', region: aws.region, deployment: 'shown' }]),
    })

    expect(shown).toMatchObject({ code: 0, kind: 'create', applied: false })
    expect(shown.changes).toContainEqual({
      action: 'Add',
      resource: 'Bucket',
      type: 'AWS::S3::Bucket',
      replaced: false,
    })
    expect(doctor.code).toBe(1)
    expect(doctor.findings).toContainEqual(expect.objectContaining({ name: 'home: foundation', state: 'missing' }))
  })

  test('goes ahead only when it is told to, and leaves no stack in review behind', async () => {
    const asked = await json(['init', ...place('asked')])
    const again = await json(['init', ...place('asked'), '--dry-run'])

    expect(asked).toMatchObject({
      code: 2,
      error: { code: 'invalid_request', remedy: expect.stringContaining('--yes') },
    })
    expect(again.kind).toBe('create')
  })

  test('makes the foundation, tells its progress, and prints what the server needs', async () => {
    const { code, stdout, stderr } = await run(['init', ...place('made'), '--yes', '--name', 'home'])

    expect(code).toBe(0)
    expect(stderr).toContain('CREATE_COMPLETE Bucket (AWS::S3::Bucket)')
    expect(stdout).toMatch(
      /BERTH_CELLS='\[\{"name":"home","region":".*","deployment":"made","roleArn":"arn:aws:iam:.*"\}\]'/,
    )
  })

  test('finds nothing to do the second time', async () => {
    const first = await foundation('twice')
    const second = await foundation('twice')

    expect([first.kind, second.kind]).toEqual(['create', 'unchanged'])
    expect(second.outputs).toEqual(first.outputs)
  })

  test('keeps parameters that are not named, and the wanted image, when others change', async () => {
    await json(['init', ...place('changed'), '--yes', '--set', 'RunRetentionDays=7'])
    const { outputs } = await foundation('changed')
    const repository = String(outputs.RepositoryUri).split('/').slice(1).join('/')
    const image = await aws.image('v3', undefined, repository)
    await json(['init', ...place('changed'), '--yes', '--image', image, '--image-version', '3'])

    const changed = await json(['init', ...place('changed'), '--yes', '--set', 'NoncurrentVersionDays=9'])
    const doctor = await json(['doctor'], { BERTH_BACKEND: 'lambda', BERTH_CELLS: changed.BERTH_CELLS })

    expect(changed.kind).toBe('update')
    expect(changed.changes.map(({ resource }: { resource: string }) => resource)).not.toContain('Repository')
    const wanted = doctor.findings.find(({ name }: { name: string }) => name.endsWith('wanted image'))
    expect(wanted).toMatchObject({ state: 'ok', detail: expect.stringContaining(`version 3, fence 0, ${image}`) })
    expect(doctor.findings).toContainEqual(
      expect.objectContaining({ state: 'ok', name: `${aws.region}: sign-ups left` }),
    )
  })

  test("makes S3 keep what runs wrote longer than the server does, and the doctor tells when it doesn't", async () => {
    const BERTH_RUN_RETENTION_DAYS = '60'
    const longer = await json(['init', ...place('longer'), '--yes'], { BERTH_RUN_RETENTION_DAYS })
    const { BERTH_CELLS } = longer
    const env = { BERTH_BACKEND: 'lambda', BERTH_CELLS }
    const retention = async (days: string) => {
      const { findings } = await json(['doctor'], { ...env, BERTH_RUN_RETENTION_DAYS: days })
      return findings.find(({ name }: { name: string }) => name.endsWith('retention'))
    }

    expect(longer.outputs.RunRetentionDays).toBe('65')
    expect(await retention('60')).toMatchObject({ state: 'ok', remedy: null })
    expect(await retention('66')).toMatchObject({
      state: 'limited',
      detail: 'S3 deletes outputs of runs after 65 days, the server after 66',
      remedy: expect.stringContaining('berth init'),
    })
  })

  test.each([
    [['--set', 'Nope=1'], 'expected parameters of the template, got Nope'],
    [['--set', 'Nope'], 'expected Name=value'],
    [['--deployment', 'Capital'], 'expected lower-case letters'],
    [['--region', 'mars'], '--region: expected a Region'],
    [['--image', 'repository:tag'], '--image: expected <repository>@sha256:'],
    [['--image-version', '3'], '--image-version: expected it with --image'],
  ])('refuses %j', async (flags, detail) => {
    const refused = await json(['init', ...place('refused'), '--yes', ...flags])

    expect(refused).toMatchObject({ code: 2, error: { detail: expect.stringContaining(detail) } })
  })

  test('takes an image of the own repository only', async () => {
    const refused = await json([
      'init',
      ...place('foreign'),
      '--yes',
      '--image',
      `123456789012.dkr.ecr.eu-west-1.amazonaws.com/other@sha256:${'0'.repeat(64)}`,
    ])

    expect(refused).toMatchObject({ code: 78, error: { detail: expect.stringContaining('expected an image') } })
  })

  test('takes no image that was not pushed', async () => {
    const { outputs } = await foundation('unpushed')
    const image = `${outputs.RepositoryUri}@sha256:${'0'.repeat(64)}`
    const refused = await json(['init', ...place('unpushed'), '--yes', '--image', image])

    expect(refused).toMatchObject({
      code: 78,
      error: { detail: expect.stringContaining('expected an image that is in') },
    })
  })

  test('says that nobody has given it credentials, and where it got no answer', async () => {
    const nobody = await json(['init', '--dry-run'], {
      AWS_ACCESS_KEY_ID: '',
      AWS_SECRET_ACCESS_KEY: '',
      HOME: '/nonexistent',
    })
    const nowhere = await json(['init', '--dry-run'], { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' })

    expect(nobody).toMatchObject({ code: 78, error: { remedy: expect.stringContaining('AWS_PROFILE') } })
    expect(nowhere).toMatchObject({ code: 75, error: { detail: expect.stringContaining('ECONNREFUSED') } })
  })
})

const sharedIn = ({ findings }: Awaited<ReturnType<typeof json>>) =>
  findings.find(({ name }: { name: string }) => name.endsWith('shared function'))

describe('berth init --shared', () => {
  test('needs an image, deploys the shared function on it, and goes with the deployment', async () => {
    const { outputs } = await foundation('shared')
    const early = await json(['init', ...place('shared'), '--shared', '--yes'])
    const image = await aws.image('v4', undefined, String(outputs.RepositoryUri).split('/').slice(1).join('/'))
    const { BERTH_CELLS } = await json(['init', ...place('shared'), '--yes', '--image', image, '--image-version', '4'])
    const shared = await json(['init', ...place('shared'), '--shared', '--yes', '--set', 'MemoryMiB=256'])
    const doctor = await json(['doctor'], { BERTH_BACKEND: 'lambda-shared', BERTH_CELLS })
    const gone = await json(['destroy', ...place('shared'), '--yes'])

    expect(early).toMatchObject({ code: 78, error: { detail: expect.stringContaining('no image is wanted yet') } })
    expect(shared).toMatchObject({ code: 0, kind: 'create', applied: true, BERTH_BACKEND: 'lambda-shared' })
    expect(sharedIn(doctor)).toMatchObject({ state: 'ok', detail: `active, on ${image}` })
    expect(gone).toMatchObject({ code: 0, removed: true })
  })

  test('is missed by the doctor where berths need it, and there alone', async () => {
    const { BERTH_CELLS } = await foundation('unshared')

    const needed = await json(['doctor'], { BERTH_BACKEND: 'lambda-shared', BERTH_CELLS })
    const other = await json(['doctor'], { BERTH_BACKEND: 'lambda', BERTH_CELLS })

    expect(sharedIn(needed)).toMatchObject({ state: 'missing', remedy: expect.stringContaining('berth init --shared') })
    expect(sharedIn(other)).toBeUndefined()
  })
})

describe('berth destroy', () => {
  test('takes away stack, bucket and images, and can be repeated', async () => {
    const { outputs } = await foundation('gone')
    const asked = await json(['destroy', ...place('gone')])
    const gone = await json(['destroy', ...place('gone'), '--yes'])
    const again = await json(['destroy', ...place('gone'), '--yes'])
    const anew = await json(['init', ...place('gone'), '--dry-run'])

    expect(asked).toMatchObject({ code: 2, error: { remedy: expect.stringContaining('--yes') } })
    expect(gone).toMatchObject({ code: 0, removed: true, bucket: outputs.BucketName })
    expect(again.code).toBe(0)
    expect(anew.kind).toBe('create')
  })

  test('finds nothing where nothing was', async () => {
    expect(await json(['destroy', ...place('never'), '--yes'])).toMatchObject({ code: 0, removed: false })
  })
})

test('upgrade and doctor ask for cells when none is named', async () => {
  const upgrade = await json(['upgrade'])
  const doctor = await json(['doctor'], { BERTH_BACKEND: 'lambda' })
  const broken = await json(['upgrade'], { BERTH_CELLS: '[{}]' })

  expect(upgrade).toMatchObject({ code: 2, error: { remedy: expect.stringContaining('BERTH_CELLS') } })
  expect(doctor.findings).toContainEqual(expect.objectContaining({ name: 'cells', state: 'missing' }))
  expect(broken).toMatchObject({ code: 78, error: { detail: expect.stringContaining('0.name') } })
})
