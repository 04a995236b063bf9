import { z } from 'zod'

const KIB = 1024
const MIB = 1024 * KIB

/**
 * Limits of one run. Bytes are bytes of UTF-8. Exactly at a limit passes, one over fails with its own code.
 * The payload limit stays below Lambda's 6 MB for synchronous invokes (AWS Lambda quotas, checked 2026-11-22).
 */
export const runLimitsSchema = z
  .object({
    timeoutMs: z.int().min(1).max(900_000),
    memoryMiB: z.int().min(64).max(10_240),
    maxSourceBytes: z.int().min(1),
    maxPayloadBytes: z.int().min(1),
    maxResultBytes: z.int().min(1),
    /** stdout and stderr together. */
    maxOutputBytes: z.int().min(0),
    /** Sum of artifacts carried inside the reply; the rest goes through the tenant's prefix. */
    maxInlineArtifactBytes: z.int().min(0),
    /** Sum of all artifacts of one run. */
    maxArtifactBytes: z.int().min(0),
    maxArtifacts: z.int().min(0),
    /** Working directory and temporary files together. */
    maxDiskBytes: z.int().min(MIB),
    maxProcesses: z.int().min(1),
  })
  .readonly()
export type RunLimits = z.infer<typeof runLimitsSchema>

export const defaultRunLimits: RunLimits = {
  timeoutMs: 30_000,
  memoryMiB: 512,
  maxSourceBytes: 256 * KIB,
  maxPayloadBytes: 5.5 * MIB,
  maxResultBytes: 256 * KIB,
  maxOutputBytes: MIB,
  maxInlineArtifactBytes: 4 * MIB,
  maxArtifactBytes: 64 * MIB,
  maxArtifacts: 64,
  maxDiskBytes: 256 * MIB,
  maxProcesses: 32,
}

/** Upper bound of `timeoutMs` a caller may ask for (Lambda's own maximum is 900 s). */
export const MAX_TIMEOUT_MS = 900_000

/** Length of an external id in code points, as zod and JSON Schema count; Firebase allows uids of 128 characters. */
export const MAX_EXTERNAL_ID_LENGTH = 128
