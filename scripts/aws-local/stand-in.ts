import { type Control, createControl, type Switches } from './control.ts'
import { createControlAnswers } from './control-answers.ts'
import { startEmulator } from './emulator.ts'
import { createEnvironments, type EnvironmentOptions } from './environments.ts'
import { createFaults } from './faults.ts'
import { startFront } from './front.ts'
import { createImages, type Images } from './images.ts'
import { createInvoke } from './invoke.ts'
import { whatIsMissing } from './paths.ts'

export interface StandInOptions extends EnvironmentOptions {
  /** @default eu-central-1 */
  readonly region?: string
  /** Whether policies and signatures are enforced. @default true */
  readonly isEnforcing?: boolean
  /** Of the address that everything speaks to. @default 0, any free one */
  readonly port?: number
  readonly switches?: Partial<Switches>
}

export interface StandIn extends AsyncDisposable {
  readonly endpoint: string
  readonly region: string
  /** Of the account's root, whom nothing is denied. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  readonly images: Images
  readonly control: Control
  environments(): number
  readonly emulatorPid: number
  emulatorLog(): string
}

/** Emulator, front and environments on random ports of this machine alone. */
export const startStandIn = async (options: StandInOptions = {}): Promise<StandIn> => {
  const missing = whatIsMissing()
  if (missing !== null) throw new Error(missing)
  const region = options.region ?? 'eu-central-1'
  await using parts = new AsyncDisposableStack()
  const emulator = parts.use(await startEmulator({ region, isEnforcing: options.isEnforcing ?? true }))
  const images = parts.use(createImages())
  let endpoint = ''
  const environments = parts.use(createEnvironments(() => endpoint, options))
  const faults = createFaults()
  const requests = new Map<string, number>()
  const control = createControl({ emulatorPort: emulator.port, region, faults, requests })
  if (options.switches !== undefined) await control.set(options.switches)
  const front = parts.use(
    await startFront({
      emulatorPort: emulator.port,
      ...(options.port !== undefined && { port: options.port }),
      faults,
      requests,
      invoke: createInvoke({ environments, images }),
      control: createControlAnswers(control, images),
    }),
  )
  endpoint = front.endpoint
  const owned = parts.move()
  return {
    endpoint,
    region,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    images,
    control,
    environments: environments.count,
    emulatorPid: emulator.pid,
    emulatorLog: emulator.log,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
