import type { Composed } from './compose.ts'
import { compose } from './compose.ts'
import type { Config } from './config.ts'

/** 128 + SIGINT, as a shell would say it. */
const EXIT_INTERRUPTED = 130

export interface ServeOptions {
  /** Called once the server takes requests. */
  readonly onListening?: (server: Composed) => void
}

/** Serves until SIGINT or SIGTERM, then stops gracefully. A second signal ends the process at once. */
export const serve = async (config: Config, { onListening }: ServeOptions = {}): Promise<void> => {
  const signaled = Promise.withResolvers<void>()
  let signals = 0
  const onSignal = (): void => {
    signals += 1
    if (signals > 1) process.exit(EXIT_INTERRUPTED)
    signaled.resolve()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    const server = await compose(config)
    onListening?.(server)
    await signaled.promise
    await server.stop()
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}
