import { readFileSync } from 'node:fs'
import { CreateStackCommand, DeleteStackCommand, DescribeStacksCommand } from '@aws-sdk/client-cloudformation'
import type { Cell, FunctionSettings } from '../../../src/aws/cell.ts'
import { createCellClients } from '../../../src/aws/clients.ts'
import { foundationStackOf, openCell } from '../../../src/aws/open-cell.ts'
import { createPacer } from '../../../src/aws/pacer.ts'
import { nameOf } from '../../../src/backends/lambda/names.ts'
import { tenantParameters, tenantTemplate } from '../../../src/backends/lambda/stack-template.ts'
import type { BerthId } from '../../../src/domain/ids.ts'
import { createRandomIds } from '../../../src/main/random-ids.ts'
import { createSystemClock } from '../../../src/main/system-clock.ts'
import type { StandInOptions } from '../../../scripts/aws-local/stand-in.ts'
import { quiet } from '../../contract/content.ts'
import { type AwsLocal, startAwsLocal } from '../../support/aws-local.ts'

export interface CellSite extends AsyncDisposable {
  readonly aws: AwsLocal
  readonly cell: Cell
  readonly clock: ReturnType<typeof createSystemClock>
  readonly ids: ReturnType<typeof createRandomIds>
  /** The runner of this checkout, in the cell's own repository. */
  image(tag: string): Promise<string>
  /** A berth by `templates/tenant.yaml`, without the provisioner. */
  makeBerth(image: string, berthId?: BerthId): Promise<BerthId>
  dropBerth(berthId: BerthId): Promise<void>
}

export interface CellSiteOptions extends StandInOptions {
  readonly functions?: Partial<FunctionSettings>
}

const DEPLOYMENT = 'berth'
const foundationTemplate = new URL('../../../templates/foundation.yaml', import.meta.url)

const untilMade = async (cell: Pick<Cell, 'clients'>, StackName: string): Promise<void> => {
  for (;;) {
    const { Stacks = [] } = await cell.clients.cloudFormation.send(new DescribeStacksCommand({ StackName }))
    const [stack] = Stacks
    if (stack?.StackStatus === 'CREATE_COMPLETE') return
    if (!/IN_PROGRESS$/.test(stack?.StackStatus ?? ''))
      throw new Error(`stack ${StackName}: ${stack?.StackStatus} ${stack?.StackStatusReason}`)
    await createSystemClock().sleep(50, quiet())
  }
}

/** The AWS stand-in with the foundation stack of the real template, and clients as the server makes them. */
export const openCellSite = async ({ functions = {}, ...options }: CellSiteOptions = {}): Promise<CellSite> => {
  await using parts = new AsyncDisposableStack()
  const aws = parts.use(await startAwsLocal(options))
  // The SDK reads where AWS is by itself, as in a server.
  Object.assign(process.env, aws.env)
  const clock = createSystemClock()
  const clients = parts.use(createCellClients({ region: aws.region, deployment: DEPLOYMENT }))
  const StackName = foundationStackOf(DEPLOYMENT)
  await clients.cloudFormation.send(
    new CreateStackCommand({
      StackName,
      TemplateBody: readFileSync(foundationTemplate, 'utf8'),
      Capabilities: ['CAPABILITY_NAMED_IAM'],
    }),
  )
  await untilMade({ clients }, StackName)
  const where = { name: 'test', region: aws.region, deployment: DEPLOYMENT, functions, clients, signal: quiet() }
  const cell = await openCell({ ...where, pacer: createPacer({ clock }) })
  const ids = createRandomIds(clock)
  const owned = parts.move()
  return {
    aws,
    cell,
    clock,
    ids,
    image: (tag) => aws.image(tag, cell.foundation.repositoryUri.split('/').slice(1).join('/')),
    makeBerth: async (image, berthId = ids.berthId()) => {
      const stack = nameOf(DEPLOYMENT, berthId)
      await clients.cloudFormation.send(
        new CreateStackCommand({
          StackName: stack,
          TemplateBody: tenantTemplate(),
          Parameters: tenantParameters(cell, berthId, image),
          Capabilities: ['CAPABILITY_NAMED_IAM'],
        }),
      )
      await untilMade(cell, stack)
      return berthId
    },
    dropBerth: async (berthId) => {
      const stack = nameOf(DEPLOYMENT, berthId)
      await clients.cloudFormation.send(new DeleteStackCommand({ StackName: stack }))
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
