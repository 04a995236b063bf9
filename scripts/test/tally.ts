import { z } from 'zod'

export interface Tally {
  readonly passed: number
  readonly failed: number
  /** Why, once for each test that was skipped. */
  readonly skipped: readonly string[]
}

export const addTallies = (tallies: readonly Tally[]): Tally => ({
  passed: tallies.reduce((sum, tally) => sum + tally.passed, 0),
  failed: tallies.reduce((sum, tally) => sum + tally.failed, 0),
  skipped: tallies.flatMap((tally) => tally.skipped),
})

export const formatTally = ({ passed, failed, skipped }: Tally): string =>
  `${passed} passed, ${failed} failed, ${skipped.length} skipped`

/** A line for each reason, the most frequent first. */
export const formatSkipped = ({ skipped }: Tally): readonly string[] =>
  [...Map.groupBy(skipped, (reason) => reason)]
    .map(([reason, { length }]) => ({ reason, length }))
    .toSorted((one, other) => other.length - one.length || one.reason.localeCompare(other.reason))
    .map(({ reason, length }) => `${String(length).padStart(5)}  ${reason}`)

const vitestReport = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  testResults: z.array(
    z.object({
      assertionResults: z.array(
        z.object({
          status: z.string(),
          fullName: z.string(),
          meta: z.object({ whySkipped: z.string().optional() }).optional(),
        }),
      ),
    }),
  ),
})

/** A runner that failed without a failed test (a file that can't be loaded) counts as one. */
const failures = (failed: number, exitCode: number): number => (failed === 0 && exitCode !== 0 ? 1 : failed)

/** Counts of a vitest JSON report. */
export const tallyOfVitest = (text: string, exitCode: number): Tally => {
  const report = vitestReport.parse(JSON.parse(text))
  const tests = report.testResults.flatMap(({ assertionResults }) => assertionResults)
  return {
    passed: report.numPassedTests,
    failed: failures(report.numFailedTests, exitCode),
    skipped: tests
      .filter(({ status }) => status !== 'passed' && status !== 'failed')
      .map(({ fullName, meta }) => meta?.whySkipped ?? `no reason given: ${fullName}`),
  }
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }
const plain = (text: string): string => text.replaceAll(/&(\w+);/g, (whole, name: string) => entities[name] ?? whole)

/** Counts of a JUnit XML report as pytest writes it. */
export const tallyOfJunit = (xml: string, exitCode: number): Tally => {
  const count = (name: string): number => Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(xml)?.[1] ?? 0)
  const failed = count('failures') + count('errors')
  const skipped = [...xml.matchAll(/<skipped\b[^>]*?\bmessage="([^"]*)"/g)].map(([, reason = '']) => plain(reason))
  const unnamed = Math.max(0, count('skipped') - skipped.length)
  return {
    passed: Math.max(0, count('tests') - failed - skipped.length - unnamed),
    failed: failures(failed, exitCode),
    skipped: [...skipped, ...Array.from({ length: unnamed }, () => 'no reason given')],
  }
}
