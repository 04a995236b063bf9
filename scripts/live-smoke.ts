/**
 * One pass through Berth on a real AWS account: `npm run live-smoke -- --region eu-west-1 --profile … --image <repository>@sha256:…`.
 * Makes a deployment of its own under a random name and takes it away again, also after Ctrl-C; `--clean` ends what was cut off.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { type Deployment, openDeployment } from '../src/main/deployment/deployment.ts'
import { assumptions } from './live-smoke/assumptions.ts'
import { cleanUp } from './live-smoke/clean-up.ts'
import { createFindings, type Finding, toTable } from './live-smoke/findings.ts'
import { createHastyClock } from './live-smoke/hasty-clock.ts'
import { hasDocker } from './live-smoke/push-image.ts'
import { forget, remember, remembered, type SmokeRecord } from './live-smoke/record.ts'
import { takePass } from './live-smoke/steps.ts'

const usage = `usage: npm run live-smoke -- --region <region> [--profile <name>] [--image <repository>@sha256:<digest>] [--yes] [--json]
       npm run live-smoke -- --clean
  --region        where
  --profile       of ~/.aws; else the SDK's own variables
  --image         runner image in ECR of the same Region; without it one is built here, with Docker
  --second-image  image of the update (default: the same one under another digest)
  --own-credentials  the server works with yours and not as its role (for the stand-in, which lacks cloudformation:RoleArn)
  --hasty         a twentieth of every pause between two looks (for the stand-in, where nothing takes long)
  --records       folder that remembers what was made (.cache/live-smoke)
  --clean         take away what earlier passes left
  --yes, --json   do not ask; one JSON object on stdout`

const say = (line: string): void => console.error(`live-smoke: ${line}`)

const stopWith = (text: string): never => {
  say(text)
  console.error(usage)
  process.exit(2)
}

const read = () => {
  try {
    return parseArgs({
      options: {
        region: { type: 'string' },
        profile: { type: 'string' },
        image: { type: 'string' },
        'second-image': { type: 'string' },
        records: { type: 'string', default: join(import.meta.dirname, '../.cache/live-smoke') },
        'own-credentials': { type: 'boolean', default: false },
        hasty: { type: 'boolean', default: false },
        clean: { type: 'boolean', default: false },
        yes: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    return stopWith(error instanceof Error ? error.message : String(error))
  }
}

const costs = (
  place: string,
): string => `This makes a foundation, two Lambda functions and two roles in ${place}, and takes them away again, in about five to ten minutes.
It costs a few cents at most: some dozen short runs, requests, and the storage of one image while it lasts (ECR: about $0.10 per GB and month).
It needs rights to make IAM roles, stacks, a bucket and a repository. It touches nothing that it did not make; it only reads --image.`

const mayGoOn = async (): Promise<boolean> => {
  const reader = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await reader.question('Go ahead? [y/N] ').finally(() => reader.close())
  return /^y(es)?$/i.test(answer.trim())
}

const useProfile = (profile: string | null): void => {
  if (profile !== null) process.env['AWS_PROFILE'] = profile
}

const openAt = ({ deployment, region, profile }: SmokeRecord, hasty = false): Deployment => {
  useProfile(profile)
  return openDeployment({ deployment, region }, hasty ? createHastyClock() : undefined)
}

/** The first Ctrl-C ends the pass and cleans up; the second ends at once. */
const interruptible = (): AbortSignal => {
  const pass = new AbortController()
  process.once('SIGINT', () => {
    say('ending and cleaning up; again to leave at once, then run with --clean')
    pass.abort(new Error('interrupted'))
    process.once('SIGINT', () => process.exit(130))
  })
  process.once('SIGTERM', () => pass.abort(new Error('ended')))
  return pass.signal
}

const clean = async (records: string): Promise<void> => {
  const found = await remembered(records)
  if (found.length === 0) say('nothing is left of earlier passes')
  for (const record of found) {
    using deployment = openAt(record)
    say(`${record.deployment} in ${record.region}, of ${record.startedAt}`)
    say(await cleanUp(deployment, { say, signal: new AbortController().signal }))
    await forget(records, record)
  }
}

const report = (findings: readonly Finding[], record: SmokeRecord, json: boolean): void => {
  const texts = new Map(assumptions.map(({ id, text, source }) => [id, { text, source }]))
  const lines = findings.map((finding) => ({ ...finding, ...texts.get(finding.id) }))
  console.log(json ? JSON.stringify({ ...record, findings: lines }) : toTable(findings))
}

const pass = async (record: SmokeRecord, args: ReturnType<typeof read>): Promise<number> => {
  const signal = interruptible()
  using deployment = openAt(record, args.hasty)
  const findings = createFindings(say, signal)
  await remember(args.records, record)
  const { 'own-credentials': ownCredentials } = args
  const images = { image: args.image ?? null, secondImage: args['second-image'] ?? null }
  let broken = false
  await takePass({ deployment, findings, ...images, ownCredentials, say, signal }).catch((error: unknown) => {
    broken = true
    say(`cannot go on: ${error instanceof Error ? error.message : String(error)}`)
  })
  say('taking everything away')
  // Of its own: cleaning up goes on after an interruption.
  const cleaning = { say, signal: new AbortController().signal }
  const end = createFindings(say, cleaning.signal)
  await end.prove('destroyed', () => cleanUp(deployment, cleaning))
  const destroyed = end.all().find(({ id }) => id === 'destroyed')
  const all = findings
    .all()
    .map((finding) => (finding.id === 'destroyed' && destroyed !== undefined ? destroyed : finding))
  if (destroyed?.verdict === 'proven') await forget(args.records, record)
  else say('something is left; run with --clean')
  report(all, record, args.json)
  if (broken || destroyed?.verdict !== 'proven') return 69
  return all.some(({ verdict }) => verdict === 'refuted') ? 1 : 0
}

const args = read()
if (args.clean) {
  await clean(args.records)
} else {
  const { region = stopWith('--region is missing'), image, profile = null } = args
  if (image !== undefined && !/^[^@\s]+@sha256:[0-9a-f]{64}$/.test(image))
    stopWith(`--image: expected <repository>@sha256:<64 hex digits>, got ${JSON.stringify(image)}`)
  if (image === undefined && !(await hasDocker()))
    stopWith('--image is missing, and there is no Docker to build one with')
  const letters = [...randomBytes(8)].map((byte) => 'abcdefghijklmnopqrstuvwxyz0123456789'.charAt(byte % 36)).join('')
  const deployment = `smoke-${letters}`
  console.error(
    costs(
      `${region}, deployment ${deployment}, ${profile === null ? 'with the credentials at hand' : `profile ${profile}`}`,
    ),
  )
  if (!args.yes && !(await mayGoOn())) process.exit(0)
  process.exitCode = await pass({ deployment, region, profile, startedAt: new Date().toISOString() }, args)
}
