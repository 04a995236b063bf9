import { expect, test } from 'vitest'
import { addTallies, formatTally, tallyOfJunit, tallyOfVitest } from '../../scripts/test/tally.ts'

test('the last line adds up all runners', () => {
  const total = addTallies([
    { passed: 1, failed: 0, skipped: 2 },
    { passed: 3, failed: 4, skipped: 0 },
  ])

  expect(formatTally(total)).toBe('4 passed, 4 failed, 2 skipped')
})

test('a vitest run that fails without a failed test counts as failed', () => {
  const report = JSON.stringify({ numPassedTests: 2, numFailedTests: 0, numPendingTests: 1, numTodoTests: 0 })

  expect(tallyOfVitest(report, 1)).toEqual({ passed: 2, failed: 1, skipped: 1 })
  expect(tallyOfVitest(report, 0)).toEqual({ passed: 2, failed: 0, skipped: 1 })
})

test('pytest errors count as failures', () => {
  const xml = '<testsuites><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10" time="1">'

  expect(tallyOfJunit(xml, 1)).toEqual({ passed: 4, failed: 3, skipped: 3 })
})
