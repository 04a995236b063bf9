/**
 * Runs every check and every test runner, and ends with one line that adds them all up.
 * `--quick` is the gate while one works: static checks, unit and contract tests. Other words are names of steps to run alone.
 */
import { parseArgs } from 'node:util'
import { allSteps } from './test/steps.ts'
import { addTallies, formatTally, type Tally } from './test/tally.ts'

const { values, positionals } = parseArgs({ options: { quick: { type: 'boolean' } }, allowPositionals: true })

const wanted = allSteps.filter((step) =>
  positionals.length > 0 ? positionals.includes(step.name) : step.quick || values.quick !== true,
)
if (wanted.length === 0) {
  console.error(
    `test: expected names out of: ${allSteps.map((step) => step.name).join(', ')}; got ${positionals.join(' ')}`,
  )
  process.exit(2)
}

const tallies: Tally[] = []
const failedSteps: string[] = []
for (const step of wanted) {
  const startedAt = performance.now()
  console.log(`\n── ${step.name}: ${step.title}`)
  const tally = await step.run({ quick: values.quick === true })
  tallies.push(tally)
  if (tally.failed > 0) failedSteps.push(step.name)
  console.log(`── ${step.name}: ${formatTally(tally)} in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
}

const total = addTallies(tallies)
if (failedSteps.length > 0) console.log(`\nfailed steps: ${failedSteps.join(', ')}`)
console.log(`\n${formatTally(total)}`)
process.exit(total.failed > 0 ? 1 : 0)
