import { z } from 'zod'
import { BerthError } from './errors.ts'
import { resultSchema, tableSchema } from './run.ts'
import { type RunnerReply, runnerRefusalSchema, runnerReplySchema } from './runner-protocol.ts'

// A reply comes from JSON.parse, so every value in it is JSON already. To walk 10,000 cells of a table again costs 3 ms.
const parsedJson = z.custom<z.core.util.JSONType>()
const parsedRows = z.custom<z.core.util.JSONType[][]>((rows) => Array.isArray(rows) && rows.every(Array.isArray))
const parsedReplySchema = runnerReplySchema.extend({
  results: z.array(
    resultSchema.extend({
      json: parsedJson.optional(),
      table: tableSchema.extend({ rows: parsedRows }).optional(),
    }),
  ),
})

type ParsedReply =
  | { readonly kind: 'reply'; readonly reply: RunnerReply }
  | { readonly kind: 'refusal'; readonly refusal: z.infer<typeof runnerRefusalSchema> }
  | { readonly kind: 'malformed'; readonly problem: string }

/** The success shape first: whatever code printed or returned, it can't turn its run into a refusal that is repeated. */
const parseRunnerReply = (message: unknown): ParsedReply => {
  const reply = parsedReplySchema.safeParse(message)
  if (reply.success) return { kind: 'reply', reply: reply.data }
  const refusal = runnerRefusalSchema.safeParse(message)
  if (refusal.success) return { kind: 'refusal', refusal: refusal.data }
  return { kind: 'malformed', problem: firstOf(reply.error) }
}

/** For the log: a reply of six megabytes can have a fault in every byte. */
const MAX_FAULTS = 5
const MAX_PROBLEM = 2000
const firstOf = ({ issues }: z.core.$ZodError): string =>
  z.prettifyError({ issues: issues.slice(0, MAX_FAULTS) }).slice(0, MAX_PROBLEM)

/** A sentence of a runner, before callers. */
const MAX_DETAIL = 1000

const refusalCodes = {
  runner_outdated: 'runner_outdated',
  runner_failed: 'runner_failed',
  file_not_found: 'file_not_found',
  // Berth wrote that request itself, so it is Berth's bug.
  malformed_request: 'internal',
} as const

/**
 * The reply in what a runner answered, still unparsed.
 * @throws {BerthError} runner_outdated, runner_failed, file_not_found, internal (with `data.runnerVersion`: the code was not
 * started); malformed_reply
 */
export const acceptRunnerReply = (message: unknown): RunnerReply => {
  const parsed = parseRunnerReply(message)
  switch (parsed.kind) {
    case 'reply':
      return parsed.reply
    case 'refusal':
      throw new BerthError(refusalCodes[parsed.refusal.code], parsed.refusal.detail.slice(0, MAX_DETAIL), {
        data: { runnerVersion: parsed.refusal.runnerVersion, runId: parsed.refusal.runId },
      })
    default:
      throw new BerthError('malformed_reply', "The runner's reply has not the agreed shape", {
        data: { problem: parsed.problem },
      })
  }
}
