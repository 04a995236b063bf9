export interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export const addTallies = (tallies: readonly Tally[]): Tally => ({
  passed: tallies.reduce((sum, tally) => sum + tally.passed, 0),
  failed: tallies.reduce((sum, tally) => sum + tally.failed, 0),
  skipped: tallies.reduce((sum, tally) => sum + tally.skipped, 0),
})

export const formatTally = ({ passed, failed, skipped }: Tally): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`

/** Counts of a vitest JSON report. A runner that failed without a failed test (a file that can't be loaded) counts as one. */
export const tallyOfVitest = (report: string, exitCode: number): Tally => {
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(report) as Record<string, number>
  const failed = numFailedTests ?? 0
  return {
    passed: numPassedTests ?? 0,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: (numPendingTests ?? 0) + (numTodoTests ?? 0),
  }
}

/** Counts of a JUnit XML report as pytest writes it. */
export const tallyOfJunit = (xml: string, exitCode: number): Tally => {
  const count = (name: string): number => Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(xml)?.[1] ?? 0)
  const failed = count('failures') + count('errors')
  const skipped = count('skipped')
  return {
    passed: Math.max(0, count('tests') - failed - skipped),
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped,
  }
}
