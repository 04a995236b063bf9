import { z } from 'zod'
import { BerthError } from '../../domain/errors.ts'
import { RUNNER_PROTOCOL } from '../../domain/runner-protocol.ts'
import type { Invoked } from './invoke-berth.ts'
import { functionFailed } from './invoke-ending.ts'
import { findSizeFault } from './size-fault.ts'

/** A self-test makes some ten checks, each told in a line. */
const MOST = { depth: 4, size: 32 * 1024 }

const answerSchema = z.object({
  protocol: z.literal(RUNNER_PROTOCOL),
  kind: z.literal('self_test'),
  passed: z.boolean(),
  runnerVersion: z.int(),
  image: z.string(),
  checks: z.array(z.object({ name: z.string(), passed: z.boolean(), detail: z.string() })),
})
export type SelfTestAnswer = z.infer<typeof answerSchema>

/**
 * What the runner found. A berth in use may hold code that answers in its place, so its size is looked at before its shape.
 * @throws {BerthError} runner_failed, malformed_reply
 */
export const selfTestAnswer = (invoked: Invoked): SelfTestAnswer => {
  const { failure, answer, requestId } = invoked
  if (failure !== null) throw functionFailed(invoked)
  const malformed = (problem: string): BerthError =>
    new BerthError('malformed_reply', 'The answer to the self-test has not the agreed shape', {
      data: { problem: problem.slice(0, 2000), requestId },
    })
  const fault = findSizeFault(answer, MOST)
  if (fault !== null) throw malformed(fault)
  const parsed = answerSchema.safeParse(answer)
  if (!parsed.success) throw malformed(z.prettifyError(parsed.error))
  return parsed.data
}
