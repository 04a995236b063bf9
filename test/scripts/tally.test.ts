import { expect, test } from 'vitest'
import { addTallies, formatSkipped, formatTally, tallyOfJunit, tallyOfVitest } from '../../scripts/test/tally.ts'

test('the last line adds up all runners', () => {
  const total = addTallies([
    { passed: 1, failed: 0, skipped: ['no disk', 'no group'] },
    { passed: 3, failed: 4, skipped: [] },
  ])

  expect(formatTally(total)).toBe('4 passed, 4 failed, 2 skipped')
})

test('the reasons of skipped tests are told, each once with how often', () => {
  const skipped = formatSkipped({ passed: 0, failed: 0, skipped: ['no disk', 'no group', 'no group'] })

  expect(skipped).toEqual(['    2  no group', '    1  no disk'])
})

const vitest = (...tests: readonly object[]) =>
  JSON.stringify({ numPassedTests: 2, numFailedTests: 0, testResults: [{ assertionResults: tests }] })

test('a vitest run that fails without a failed test counts as failed', () => {
  expect(tallyOfVitest(vitest(), 1)).toEqual({ passed: 2, failed: 1, skipped: [] })
  expect(tallyOfVitest(vitest(), 0)).toEqual({ passed: 2, failed: 0, skipped: [] })
})

test('a skipped test of vitest counts as skipped, by its reason or else by its name', () => {
  const report = vitest(
    { status: 'passed', fullName: 'runs', meta: {} },
    { status: 'skipped', fullName: 'a run is put off', meta: { whySkipped: 'no group' } },
    { status: 'todo', fullName: 'a run is lost', meta: {} },
  )

  expect(tallyOfVitest(report, 0)).toEqual({
    passed: 2,
    failed: 0,
    skipped: ['no group', 'no reason given: a run is lost'],
  })
})

test('pytest errors count as failures, and what was skipped says why', () => {
  const xml = `<testsuites><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10" time="1">
    <testcase><skipped type="pytest.skip" message="a &lt;disk&gt; is full">/a.py:1</skipped></testcase>
    <testcase><skipped type="pytest.skip" message="no group">/a.py:2</skipped></testcase>`

  expect(tallyOfJunit(xml, 1)).toEqual({
    passed: 4,
    failed: 3,
    skipped: ['a <disk> is full', 'no group', 'no reason given'],
  })
})
