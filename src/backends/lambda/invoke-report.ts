import { z } from 'zod'

/** What the platform itself measured of one invocation; null where the tail of its log does not tell. */
export interface InvokeReport {
  readonly durationMs: number | null
  readonly initMs: number | null
  readonly memoryMiB: number | null
  readonly peakMemoryMiB: number | null
  /** The runner broke before it took the request, so no code began. */
  readonly initFailed: boolean
}

type Figures = Omit<InvokeReport, 'initFailed'>
const unknown: Figures = { durationMs: null, initMs: null, memoryMiB: null, peakMemoryMiB: null }

/** `platform.report` of functions that log JSON. @see https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html */
const recordSchema = z.object({
  type: z.literal('platform.report'),
  record: z.object({
    metrics: z.object({
      durationMs: z.number().optional(),
      initDurationMs: z.number().optional(),
      memorySizeMB: z.number().optional(),
      maxMemoryUsedMB: z.number().optional(),
    }),
  }),
})

const fromJson = (line: string): Figures | null => {
  try {
    const { metrics } = recordSchema.parse(JSON.parse(line)).record
    return {
      durationMs: metrics.durationMs ?? null,
      initMs: metrics.initDurationMs ?? null,
      memoryMiB: metrics.memorySizeMB ?? null,
      peakMemoryMiB: metrics.maxMemoryUsedMB ?? null,
    }
  } catch {
    return null
  }
}

const figure = (line: string, pattern: RegExp): number | null => {
  const found = pattern.exec(line)?.[1]
  return found === undefined ? null : Number(found)
}

const fromText = (line: string): Figures => ({
  durationMs: figure(line, /(?:^|\t)Duration: ([0-9.]+) ms/),
  initMs: figure(line, /(?:^|\t)Init Duration: ([0-9.]+) ms/),
  memoryMiB: figure(line, /(?:^|\t)Memory Size: ([0-9.]+) MB/),
  peakMemoryMiB: figure(line, /(?:^|\t)Max Memory Used: ([0-9.]+) MB/),
})

const figuresIn = (lines: readonly string[]): Figures => {
  for (const line of lines.toReversed()) {
    if (line.includes('"platform.report"')) return fromJson(line) ?? unknown
    if (line.startsWith('REPORT RequestId:')) return fromText(line)
  }
  return unknown
}

const tellsFailedInit = (line: string): boolean =>
  /^INIT_REPORT .*\bStatus: (error|timeout)/.test(line) ||
  (line.includes('"platform.initReport"') && /"status":\s*"(error|failure|timeout)"/.test(line))

/**
 * The report in the tail of an invocation's log (base64, its last 4 KiB), of functions that log text or JSON. The last one counts:
 * code that writes one of its own can't write after the platform. Nothing else of the tail is taken; it may hold what code printed.
 */
export const parseInvokeReport = (tail: string | undefined): InvokeReport => {
  const lines = Buffer.from(tail ?? '', 'base64')
    .toString()
    .split('\n')
  return { ...figuresIn(lines), initFailed: lines.some(tellsFailedInit) }
}
