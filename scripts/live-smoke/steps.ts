import { GetFunctionConcurrencyCommand } from '@aws-sdk/client-lambda'
import { ECRClient } from '@aws-sdk/client-ecr'
import { z } from 'zod'
import type { Cell } from '../../src/aws/cell.ts'
import { openCell } from '../../src/aws/open-cell.ts'
import { invokeBerth } from '../../src/backends/lambda/invoke-berth.ts'
import { pingEvent } from '../../src/backends/lambda/invoke-description.ts'
import { createLambdaFleet } from '../../src/backends/lambda/lambda-fleet.ts'
import { readFunction } from '../../src/backends/lambda/lambda-functions.ts'
import { nameOf } from '../../src/backends/lambda/names.ts'
import type { Deployment } from '../../src/main/deployment/deployment.ts'
import { planFoundation } from '../../src/main/deployment/plan-foundation.ts'
import { packagedRunnerVersion, setWantedImage } from '../../src/main/deployment/set-wanted-image.ts'
import { createRandomIds } from '../../src/main/random-ids.ts'
import { isBerthError } from '../../src/domain/errors.ts'
import { type EmbeddedServer, startEmbeddedServer, untilAnswered } from './embedded-server.ts'
import { type Findings, NotTried } from './findings.ts'
import { passed, simulateRole, tryPrefixes } from './isolation.ts'
import { pushImage, pushVariant } from './push-image.ts'
import { signUp, type SmokeTenant } from './tenants.ts'

export interface Pass {
  readonly deployment: Deployment
  readonly findings: Findings
  /** `<repository>@sha256:…`; null builds one here. */
  readonly image: string | null
  /** Image of the update; null is the same one under another digest. */
  readonly secondImage: string | null
  /** The server works with the caller's credentials and not as its role. */
  readonly ownCredentials: boolean
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

interface Scene extends Pass {
  readonly cell: Cell
  readonly server: EmbeddedServer
  readonly alice: SmokeTenant
  readonly bob: SmokeTenant
}

/** Everything but the end: sign-ups, runs, isolation, suspension, an update, deletions. What fails does not stop the rest. */
export const takePass = async (pass: Pass): Promise<void> => {
  const outputs = await makeFoundation(pass)
  const ecr = new ECRClient({ region: pass.deployment.region })
  try {
    await bringImage(pass, ecr, outputs['RepositoryUri'] ?? '')
    const { region, cell: place } = pass.deployment
    const cell = await openCell({ ...place, name: 'smoke', signal: pass.signal })
    const { deployment } = place
    const entry = { name: 'smoke', region, deployment, roleArn: outputs['ServerRoleArn'] }
    await using server = await startServer(pass, entry)
    const [alice, bob] = await signUpBoth(pass, server)
    const scene = { ...pass, cell, server, alice, bob }
    await runPrograms(scene)
    await tryIsolation(scene)
    await suspendAndResume(scene)
    await updateImage(scene, ecr)
    await deleteBoth(scene)
  } finally {
    ecr.destroy()
  }
}

const makeFoundation = ({ deployment, findings, say, signal }: Pass) =>
  findings.need('foundation', async () => {
    const plan = await planFoundation(deployment, { parameters: {}, signal })
    const value = await plan.execute({ signal, onProgress: say })
    return { detail: `${plan.changes.length} resources`, value }
  })

/** Shown by the pull, which comes later; a failure here is not AWS's. */
const bringImage = async ({ deployment, image, say, signal }: Pass, ecr: ECRClient, repository: string) => {
  say(image === null ? 'building and pushing the image' : `copying ${image}`)
  const pushed = await pushImage(ecr, image, { to: repository, tag: 'smoke-1' })
  await setWantedImage(deployment, { image: pushed, version: packagedRunnerVersion() }, signal)
  say(`new berths get ${pushed}`)
}

interface CellEntry {
  readonly name: string
  readonly region: string
  readonly deployment: string
  readonly roleArn: string | undefined
}

const ROLE_TRIES = 8

/** A role that was just made cannot be assumed everywhere yet. */
const startServer = async ({ deployment, findings, ownCredentials, say, signal }: Pass, entry: CellEntry) => {
  if (ownCredentials) {
    await findings.prove('server_role', async () => {
      throw new NotTried('the server worked with --own-credentials')
    })
    return startEmbeddedServer({ ...entry, roleArn: undefined }, { clock: deployment.clock, say })
  }
  return findings.need('server_role', async () => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const value = await startEmbeddedServer(entry, { clock: deployment.clock, say })
        return { detail: `the server works as its role, after ${attempt} ${attempt === 1 ? 'try' : 'tries'}`, value }
      } catch (error) {
        if (attempt >= ROLE_TRIES || !isBerthError(error)) throw error
        say(`waiting for the server's role (${attempt} of ${ROLE_TRIES}): ${error.message}`)
        await deployment.clock.sleep(4000, signal)
      }
    }
  })
}

/** One stack each, at the same time. The first run shows stack, role, image and runner at once. */
const signUpBoth = async ({ deployment, findings, say, signal }: Pass, server: EmbeddedServer) => {
  const patience = { clock: deployment.clock, say, signal }
  const both = await findings.need('berth_stack', async () => {
    const since = performance.now()
    const value = await Promise.all([signUp(server, 'alice', patience), signUp(server, 'bob', patience)])
    return { detail: `sign-up to first result: ${((performance.now() - since) / 1000).toFixed(1)} s`, value }
  })
  for (const id of ['image_pull', 'role_trust'])
    await findings.prove(id, async () => 'a run in a new function succeeded')
  return both
}

const runPrograms = async ({ findings, alice }: Scene): Promise<void> => {
  await findings.prove('run', async () => {
    await alice.run({ language: 'typescript', code: 'const n: number = 6 * 7; console.log(n)' }, '42')
    return 'Python and TypeScript'
  })
  await findings.prove('files', async () => {
    await alice.call('PUT', '/v1/files/numbers.txt', { body: '1\n2\n39\n' })
    const code = 'n = sum(map(int, open("numbers.txt")))\nopen("outputs/sum.txt", "w").write(str(n))\nprint(n)'
    await alice.run({ language: 'python', code, files: ['numbers.txt'] }, '42')
    return 'read, and an artifact left'
  })
  await findings.prove('presigned', async () => {
    const { status, headers } = await alice.call('GET', '/v1/files/numbers.txt?direct=true')
    const link = headers.get('location')
    if (status !== 307 || link === null) throw new Error(`expected HTTP 307 with a link, got ${status}`)
    const got = await (await fetch(link)).text()
    const { status: bare } = await fetch(link.slice(0, link.indexOf('?')))
    if (got !== '1\n2\n39\n' || bare !== 403)
      throw new Error(`expected the file and 403 without signature, got ${bare}`)
    return 'given; 403 without the signature'
  })
}

const tryIsolation = async ({ findings, cell, alice, bob, signal }: Scene): Promise<void> => {
  const pair = { mine: alice.berthId, theirs: bob.berthId, signal }
  const checks = tryPrefixes(cell, pair)
  await findings.prove('own_prefix', async () => passed(await checks, 'own_prefix_readable'))
  await findings.prove('other_prefix', async () => passed(await checks, 'other_prefix_refused'))
  await findings.prove('role_limits', () => simulateRole(cell, pair))
}

const SETTLE_MS = 60_000
const refusedCodes = new Set<string>(['tenant_suspended', 'rate_limited', 'backend_unavailable', 'berth_busy'])

const suspendAndResume = async ({ findings, cell, server, alice, deployment, say, signal }: Scene): Promise<void> => {
  const FunctionName = nameOf(cell.deployment, alice.berthId)
  const reserved = async () =>
    (await cell.clients.lambda.send(new GetFunctionConcurrencyCommand({ FunctionName }), { abortSignal: signal }))
      .ReservedConcurrentExecutions
  const untilReserved = async (wanted: number | undefined): Promise<void> => {
    const giveUpAt = performance.now() + SETTLE_MS
    while ((await reserved()) !== wanted) {
      say(`waiting until reserved concurrency is ${wanted ?? 'taken back'}`)
      if (performance.now() > giveUpAt) throw new Error(`reserved concurrency is not ${wanted ?? 'taken back'}`)
      await deployment.clock.sleep(1000, signal)
    }
  }
  await findings.prove('suspended', async () => {
    await server.operator('POST', `/v1/tenants/${alice.id}/suspend`)
    await untilReserved(0)
    const refused = await invokeBerth(cell, { berthId: alice.berthId, event: pingEvent, signal }).then(
      () => null,
      (error: unknown) => error,
    )
    if (refused === null) throw new Error('an invoke past the server was served')
    if (!isBerthError(refused)) throw refused
    return `an invoke past the server: ${refused.code}${refusedCodes.has(refused.code) ? '' : ` (${refused.message})`}`
  })
  await findings.prove('resumed', async () => {
    await server.operator('POST', `/v1/tenants/${alice.id}/resume`)
    await untilReserved(undefined)
    await alice.run({ language: 'python', code: 'print("back")' }, 'back')
    return 'a run succeeded'
  })
}

const updateImage = ({ findings, cell, bob, secondImage, deployment, signal }: Scene, ecr: ECRClient): Promise<void> =>
  findings.prove('image_update', async () => {
    const present = await readFunction(cell, bob.berthId, { priority: 'waiting', signal })
    const image =
      secondImage === null
        ? await pushVariant(ecr, present?.image ?? '')
        : await pushImage(ecr, secondImage, { to: cell.foundation.repositoryUri, tag: 'smoke-2' })
    const { clock } = deployment
    await createLambdaFleet(cell, { clock, ids: createRandomIds(clock) }).update(bob.berthId, image, { signal })
    const after = await readFunction(cell, bob.berthId, { priority: 'waiting', signal })
    if (after?.image !== image) throw new Error(`the function runs ${after?.image}, not ${image}`)
    await bob.run({ language: 'python', code: 'print("new")' }, 'new')
    return `runs ${image.slice(image.indexOf('@') + 1, image.indexOf('@') + 20)}…`
  })

/** A stack with a function goes within minutes. */
const GONE_MS = 15 * 60_000
const receiptSchema = z.object({ verifiedAbsent: z.array(z.object({ kind: z.string() })).min(3) })
const reconcileSchema = z.object({ findings: z.array(z.unknown()) })

const deleteBoth = ({ deployment, findings, server, alice, bob, say, signal }: Scene): Promise<void> =>
  findings.prove('deprovisioned', async () => {
    for (const { id } of [alice, bob]) await server.operator('DELETE', `/v1/tenants/${id}`)
    const kinds = new Set<string>()
    for (const { id } of [alice, bob]) {
      const ask = () => server.operator('GET', `/v1/tenants/${id}/receipt`)
      const patience = { clock: deployment.clock, say, signal }
      const options = { ...patience, wanted: 200, later: [404, 409, 503], withinMs: GONE_MS }
      const receipt = receiptSchema.parse(JSON.parse((await untilAnswered(ask, options)).text))
      for (const { kind } of receipt.verifiedAbsent) kinds.add(kind)
    }
    const left = await server.operator('POST', '/v1/reconcile', { json: { apply: false } })
    const { findings: gaps } = reconcileSchema.parse(JSON.parse(left.text))
    if (gaps.length > 0) throw new Error(`reconcile finds ${JSON.stringify(gaps)}`)
    return `verified absent: ${[...kinds].join(', ')}`
  })
