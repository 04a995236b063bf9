import { z } from 'zod'
import { type ErrorCode, errorTable } from './error-table.ts'
import { fileNameSchema } from './file-name.ts'
import { runIdSchema } from './ids.ts'
import { MAX_TIMEOUT_MS } from './limits.ts'
import { jsonSchemaField } from './result-schema.ts'

export const languageSchema = z.enum(['python', 'typescript'])
export type Language = z.infer<typeof languageSchema>

/** `default` is the analytics profile; `evaluator` is JSON in, JSON out: at most 2 s and 128 MiB, no files, no artifacts, a result that is JSON. */
export const profileSchema = z.enum(['default', 'evaluator'])
export type Profile = z.infer<typeof profileSchema>

/** What a caller sends to POST /v1/runs. The tenant comes from the token, never from the body. */
export const runRequestSchema = z
  .strictObject({
    language: languageSchema,
    code: z.string().min(1),
    /** Passed to `main` when the code defines it, and a global of that name in any case. */
    variables: z.record(z.string(), z.json()).default({}),
    /** Names of the tenant's files that lie in the working directory before the code starts. */
    files: z.array(fileNameSchema).max(100).default([]),
    /** Milliseconds the code may run; the server's own maximum still holds. */
    timeoutMs: z.int().min(1).max(MAX_TIMEOUT_MS).optional(),
    memoryMiB: z.int().min(64).max(10_240).optional(),
    profile: profileSchema.default('default'),
    /** The main result must fit it, or the run has failed with `result_mismatch`. */
    resultSchema: jsonSchemaField.optional(),
  })
  .readonly()
export type RunRequest = z.infer<typeof runRequestSchema>
export type RunRequestInput = z.input<typeof runRequestSchema>

/**
 * queued → (provisioning →) running → one of the terminal ones.
 * failed: the code raised or its result is unusable; crashed: killed by a fault or for memory; system_error: Berth's fault.
 */
export const runStatusSchema = z.enum([
  'queued',
  'provisioning',
  'running',
  'succeeded',
  'failed',
  'timed_out',
  'crashed',
  'canceled',
  'system_error',
])
export type RunStatus = z.infer<typeof runStatusSchema>

export const terminalStatuses = ['succeeded', 'failed', 'timed_out', 'crashed', 'canceled', 'system_error'] as const
export type TerminalStatus = (typeof terminalStatuses)[number]
export const isTerminal = (status: RunStatus): status is TerminalStatus =>
  (terminalStatuses as readonly RunStatus[]).includes(status)

/** A table as data. `rows` may be a preview: then `truncated` is true and `rowCount` still counts all. */
export const tableSchema = z.object({
  columns: z.array(
    z.object({ name: z.string(), type: z.enum(['string', 'number', 'integer', 'boolean', 'datetime', 'json']) }),
  ),
  rows: z.array(z.array(z.json())),
  rowCount: z.int().min(0),
  truncated: z.boolean(),
})
export type Table = z.infer<typeof tableSchema>

/** One result as a mime bundle with short keys (as E2B's Execution): several forms of the same value. png is base64. */
export const resultSchema = z.object({
  /** True for the value of the run; false for what the code displayed on the way. */
  isMain: z.boolean(),
  text: z.string().optional(),
  html: z.string().optional(),
  markdown: z.string().optional(),
  json: z.json().optional(),
  png: z.string().optional(),
  svg: z.string().optional(),
  table: tableSchema.optional(),
})
export type Result = z.infer<typeof resultSchema>

export const logsSchema = z.object({
  stdout: z.string(),
  stderr: z.string(),
  truncated: z.object({ stdout: z.boolean(), stderr: z.boolean() }),
  /** Bytes of output that were printed and not kept. */
  droppedBytes: z.int().min(0),
})
export type Logs = z.infer<typeof logsSchema>

/** What the code raised. `line` counts from 1 in the caller's source; null when it happened elsewhere. */
export const codeErrorSchema = z.object({
  name: z.string(),
  value: z.string(),
  traceback: z.string(),
  line: z.int().nullable(),
})
export type CodeError = z.infer<typeof codeErrorSchema>

/** Why a run did not succeed; null for a success. */
export const failureSchema = z.object({
  category: z.enum(['user', 'limit', 'policy', 'platform', 'caller']),
  code: z.enum(Object.keys(errorTable) as [ErrorCode, ...ErrorCode[]]),
  retryable: z.boolean(),
  remedy: z.string(),
  /** One sentence with the figures, for example the limit and what was reached. */
  detail: z.string(),
})
export type Failure = z.infer<typeof failureSchema>

export const artifactSchema = z.object({
  /** Path below outputs/, with `/` between parts. */
  name: z.string(),
  mime: z.string(),
  bytes: z.int().min(0),
  sha256: z.string(),
  /** Path of the artifact on this API. */
  url: z.string(),
  /** base64 in the answer of the run itself when all artifacts fit its limit; null when the run is read later. */
  content: z.string().nullable(),
})
export type Artifact = z.infer<typeof artifactSchema>

export const runSchema = z.object({
  id: runIdSchema,
  status: runStatusSchema,
  language: languageSchema,
  results: z.array(resultSchema),
  logs: logsSchema,
  error: codeErrorSchema.nullable(),
  failure: failureSchema.nullable(),
  artifacts: z.array(artifactSchema),
  usage: z.object({ wallMs: z.number(), cpuMs: z.number(), peakMemoryMiB: z.number() }),
  timings: z.object({ queueMs: z.number(), coldStartMs: z.number(), execMs: z.number(), totalMs: z.number() }),
  runner: z.object({ version: z.int(), image: z.string() }).nullable(),
  /** Things the caller should know, for example that this server runs code without a sandbox. */
  warnings: z.array(z.string()),
  createdAt: z.iso.datetime(),
  startedAt: z.iso.datetime().nullable(),
  finishedAt: z.iso.datetime().nullable(),
})
/** The one object that POST, GET, the event stream and the CLI return. */
export type Run = z.infer<typeof runSchema>

export const createFailure = (code: ErrorCode, detail: string): Failure => {
  const { category, retryable, remedy } = errorTable[code]
  return { category, code, retryable, remedy, detail }
}
