import { startEmulator } from './emulator.ts'
import { createEnvironments, type EnvironmentOptions } from './environments.ts'
import { startFront } from './front.ts'
import { createImages, type Images } from './images.ts'
import { createInvoke } from './invoke.ts'
import { whatIsMissing } from './paths.ts'

export interface StandInOptions extends EnvironmentOptions {
  /** @default eu-central-1 */
  readonly region?: string
  /** Whether policies and signatures are enforced. @default true */
  readonly isEnforcing?: boolean
}

export interface StandIn extends AsyncDisposable {
  readonly endpoint: string
  readonly region: string
  /** Of the account's root, whom nothing is denied. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  readonly images: Images
  environments(): number
  emulatorLog(): string
}

/** Emulator, front and environments on random ports of this machine alone. */
export const startStandIn = async (options: StandInOptions = {}): Promise<StandIn> => {
  const missing = whatIsMissing()
  if (missing !== null) throw new Error(missing)
  const region = options.region ?? 'eu-central-1'
  await using parts = new AsyncDisposableStack()
  const emulator = parts.use(await startEmulator({ region, isEnforcing: options.isEnforcing ?? true }))
  const images = createImages()
  let endpoint = ''
  const environments = parts.use(createEnvironments(() => endpoint, options))
  const front = parts.use(
    await startFront({ emulatorPort: emulator.port, invoke: createInvoke({ environments, images }) }),
  )
  endpoint = front.endpoint
  const owned = parts.move()
  return {
    endpoint,
    region,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    images,
    environments: environments.count,
    emulatorLog: emulator.log,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
