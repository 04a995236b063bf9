import { CreateStackCommand, waitUntilStackCreateComplete } from '@aws-sdk/client-cloudformation'
import { readFile } from 'node:fs/promises'
import type { Cell, FunctionSettings } from '../../src/aws/cell.ts'
import { createCellClients } from '../../src/aws/clients.ts'
import { foundationStackOf, openCell } from '../../src/aws/open-cell.ts'
import { createPacer, type Pacer, type RequestPool } from '../../src/aws/pacer.ts'
import type { PoolRate } from '../../src/aws/pacer-rates.ts'
import { createWantedImage, type WantedImage } from '../../src/aws/wanted-image.ts'
import type { Clock } from '../../src/domain/ports/clock.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'
import type { AwsLocal } from './aws-local.ts'
import { setVariables } from './set-variables.ts'

/** Stacks of the stand-in are ready within a moment. */
export const quickPoll = { least: 20, most: 60 }

const unhurried = (perSecond: number): PoolRate => ({ perSecond, burst: perSecond })

/** Rates that no test of anything else has to wait for. */
export const freeRates: Readonly<Record<RequestPool, PoolRate>> = {
  lambda: unhurried(1000),
  getFunction: unhurried(1000),
  stackChanges: unhurried(1000),
  stackReads: unhurried(1000),
  iam: unhurried(1000),
  logs: unhurried(1000),
}

export interface AwsCell extends AsyncDisposable {
  readonly cell: Cell
  readonly wantedImage: WantedImage
  /** The image that new berths get. */
  readonly image: string
}

export interface AwsCellOptions {
  readonly deployment?: string
  readonly clock?: Clock
  readonly pacer?: Pacer
  readonly functions?: Partial<FunctionSettings>
}

/** A cell with the real foundation stack, an image that loads no libraries beforehand, and the server's own clients. */
export const openAwsCell = async (aws: AwsLocal, options: AwsCellOptions = {}): Promise<AwsCell> => {
  const { deployment = 'berth' } = options
  // The SDK reads its own variables, in the server too.
  await using parts = new AsyncDisposableStack()
  parts.use(setVariables(aws.env))
  await makeFoundation(aws, deployment)
  const { cell, clients, wantedImage } = await connectAwsCell({ ...options, region: aws.region })
  parts.use(clients)
  const image = await aws.image(
    'v1',
    { kind: 'runner', profile: 'evaluator' },
    cell.foundation.repositoryUri.split('/').slice(1).join('/'),
  )
  await wantedImage.write({ image, version: 1, fence: 0 }, { signal: AbortSignal.timeout(120_000) })
  const owned = parts.move()
  return { cell, wantedImage, image, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

const makeFoundation = async ({ region }: AwsLocal, deployment: string): Promise<void> => {
  using clients = createCellClients({ region, deployment })
  const StackName = foundationStackOf(deployment)
  const TemplateBody = await readFile(new URL('../../templates/foundation.yaml', import.meta.url), 'utf8')
  const Parameters = [{ ParameterKey: 'Deployment', ParameterValue: deployment }]
  await clients.cloudFormation.send(
    new CreateStackCommand({ StackName, TemplateBody, Parameters, Capabilities: ['CAPABILITY_NAMED_IAM'] }),
  )
  const waiting = { client: clients.cloudFormation, maxWaitTime: 120, minDelay: 0.05, maxDelay: 0.2 }
  await waitUntilStackCreateComplete(waiting, { StackName })
}

/** The cell as a server finds it that starts where `openAwsCell` was before. */
export const connectAwsCell = async (options: AwsCellOptions & { readonly region: string }) => {
  const { deployment = 'berth', clock = createSystemClock() } = options
  const clients = createCellClients({ region: options.region, deployment })
  const pacer = options.pacer ?? createPacer({ clock, rates: freeRates })
  const signal = AbortSignal.timeout(120_000)
  const cell = await openCell({ ...options, name: 'home', deployment, clients, pacer, signal })
  return { cell, clients, wantedImage: createWantedImage(cell, clock) }
}
