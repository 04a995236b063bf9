import type { RequestPool } from './pacer.ts'

export interface PoolRate {
  /** Requests that may be sent per second in the long run. */
  readonly perSecond: number
  /** Requests that may leave at once after a pause; makes up for timers that fire late. */
  readonly burst: number
  /** Requests that are made up for when a timer fires late while somebody waits. @default 0 */
  readonly late?: number
  /** What AWS allows in any one second, where it says so. @default unbounded but for the other three */
  readonly most?: number
}

/**
 * What leaves in any one second stays within what AWS allows: by `most`, or because `perSecond` + `burst` + `late` is no more than that.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (2026-11-22): 15/s over the control plane, GetFunction 100/s
 */
export const awsRates: Readonly<Record<RequestPool, PoolRate>> = {
  lambda: { perSecond: 14.9, burst: 1, late: 4, most: 15 },
  getFunction: { perSecond: 95, burst: 4, late: 26, most: 100 },
  // Not published. Parallel deployments of some 20 stacks are reported to be throttled; the pacer finds out by itself.
  // A quarter more than one makes up for timers that are late by up to 60 ms, and adds no fifth request to any second.
  stackChanges: { perSecond: 4, burst: 1.25 },
  // DescribeStacks is reported at 5/s, not adjustable (aws-sam-cli issue 2671).
  stackReads: { perSecond: 4.8, burst: 1 },
  // Not published and account-wide, whatever the Region.
  iam: { perSecond: 10, burst: 2 },
  // CreateLogGroup and DescribeLogGroups: 5/s by default.
  logs: { perSecond: 4.5, burst: 1 },
}
