import { z } from 'zod'
import { type ErrorCode, errorTable } from './error-table.ts'
import { languageSchema, logsSchema, codeErrorSchema, profileSchema, resultSchema } from './run.ts'
import { runLimitsSchema } from './limits.ts'

/**
 * What Berth sends to a runner and what comes back. The same objects travel as a Lambda event and as frames over a pipe.
 * The runner's own half is `runner-image/berth_runner/protocol.py`; the contract tests run both against each other.
 */
export const RUNNER_PROTOCOL = 1

/** Where the runner finds the tenant's files and leaves artifacts that do not fit into the reply. */
export const prefixSchema = z.discriminatedUnion('kind', [
  /** `files` and `run` are absolute folders on this machine; `run` is this run's own. */
  z.object({ kind: z.literal('folder'), files: z.string(), run: z.string() }),
  /** `files` and `run` are key prefixes that end in "/". */
  z.object({ kind: z.literal('s3'), bucket: z.string(), files: z.string(), run: z.string() }),
  /** A function that several tenants share: no files, and only artifacts that fit into the reply. */
  z.object({ kind: z.literal('none') }),
])

export const runnerRequestSchema = z.object({
  protocol: z.literal(RUNNER_PROTOCOL),
  kind: z.literal('run'),
  runId: z.string(),
  language: languageSchema,
  code: z.string(),
  variables: z.record(z.string(), z.json()),
  files: z.array(z.string()),
  profile: profileSchema,
  limits: runLimitsSchema,
  /** The fence: an older runner refuses the run and exits. */
  minRunnerVersion: z.int().min(0),
  prefix: prefixSchema,
})
export type RunnerRequest = z.infer<typeof runnerRequestSchema>

/** How the process ended, told by the supervisor from wait4 and its own counters, never by the tenant's code. */
export const outcomeSchema = z.object({
  status: z.enum(['succeeded', 'failed', 'timed_out', 'crashed', 'canceled']),
  code: z.enum(Object.keys(errorTable) as [ErrorCode, ...ErrorCode[]]).nullable(),
  detail: z.string(),
})

export const runnerArtifactSchema = z.object({
  name: z.string(),
  mime: z.string(),
  bytes: z.int().min(0),
  sha256: z.string(),
  /** base64; null when it does not fit `maxInlineArtifactBytes`. */
  content: z.string().nullable(),
  /** True when the runner has left it in the run's own prefix. */
  stored: z.boolean(),
})

/** A run that took place, however it ended. Parsed before `runnerRefusalSchema`, so that code cannot forge a refusal. */
export const runnerReplySchema = z.object({
  protocol: z.literal(RUNNER_PROTOCOL),
  kind: z.literal('reply'),
  runId: z.string(),
  outcome: outcomeSchema,
  results: z.array(resultSchema),
  logs: logsSchema,
  error: codeErrorSchema.nullable(),
  artifacts: z.array(runnerArtifactSchema),
  usage: z.object({ wallMs: z.number(), cpuMs: z.number(), peakMemoryMiB: z.number() }),
  timings: z.object({ coldStartMs: z.number(), execMs: z.number() }),
  runner: z.object({ version: z.int(), image: z.string(), level: z.string() }),
})
export type RunnerReply = z.infer<typeof runnerReplySchema>

/** The runner did not start the code. Nothing has happened, so another try is safe when `retryable` says so. */
export const runnerRefusalSchema = z.strictObject({
  protocol: z.literal(RUNNER_PROTOCOL),
  kind: z.literal('refusal'),
  runId: z.string(),
  code: z.enum(['runner_outdated', 'runner_failed', 'malformed_request', 'file_not_found']),
  detail: z.string(),
  runnerVersion: z.int(),
})

/** Sent while a run goes on, where the backend can stream. `text` is whole UTF-8 characters. */
export const runnerOutputSchema = z.object({
  protocol: z.literal(RUNNER_PROTOCOL),
  kind: z.literal('output'),
  runId: z.string(),
  stream: z.enum(['stdout', 'stderr']),
  text: z.string(),
})
