import { z } from 'zod'
import { languageSchema } from '../../domain/run.ts'
import { RUNNER_PROTOCOL } from '../../domain/runner-protocol.ts'

/** What `berth_runner.local` reads as its one argument. */
export interface RunnerConfig {
  /** Rung of the ladder; null for the best that the machine offers. */
  readonly level: string | null
  /** Sandboxes that wait ready for Python, and for TypeScript. */
  readonly spares: number
  readonly nodeSpares: number
  /** The golden zygote is replaced after so many runs or seconds. */
  readonly recycleRuns: number
  readonly recycleSeconds: number
  readonly maxConcurrency: number
  readonly scratchDir: string
  readonly node: string
  readonly allowUnsafe: boolean
}

/** The runner's first frame. Further capabilities are the machine's own and only shown. */
export const runnerReadySchema = z.object({
  kind: z.literal('ready'),
  protocol: z.literal(RUNNER_PROTOCOL),
  runner: z.object({ version: z.int(), image: z.string(), level: z.string() }),
  languages: z.array(
    z.object({ language: languageSchema, version: z.string(), packages: z.record(z.string(), z.string()) }),
  ),
  capabilities: z.record(z.string(), z.unknown()),
  warnings: z.array(z.string()),
})
export type RunnerReady = z.infer<typeof runnerReadySchema>

/** The one line on stderr of a runner that exits 78: it found no way to isolate runs. */
export const noSandboxSchema = z.object({ detail: z.string(), remedy: z.string().optional() })

/** A frame of the runner's, of which only the envelope is known. */
export interface RunnerMessage {
  readonly kind: string
  readonly runId?: string | undefined
  readonly [field: string]: unknown
}

/** @throws when the frame is not an object with a kind: then the runner is broken, not a run */
export const parseRunnerMessage = (json: string): RunnerMessage => {
  const message: unknown = JSON.parse(json)
  if (!isRunnerMessage(message)) throw new TypeError('A frame of the runner has no kind')
  return message
}

/** By hand: each run brings three frames, and a schema would take as long as the parsing of their JSON. */
const isRunnerMessage = (message: unknown): message is RunnerMessage =>
  typeof message === 'object' &&
  message !== null &&
  'kind' in message &&
  typeof message.kind === 'string' &&
  (!('runId' in message) || typeof message.runId === 'string')
