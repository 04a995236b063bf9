/**
 * Runs every check and every test runner, and ends with one line that adds them all up.
 * `--quick` is the gate while one works: static checks, unit and contract tests. Other words are names of steps to run alone.
 */
import { parseArgs } from 'node:util'
import { allSteps, type Step } from './test/steps.ts'
import { addTallies, formatSkipped, formatTally, type Tally } from './test/tally.ts'
import { createTurns } from './test/turns.ts'

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

// The lanes run beside each other, for tests wait a good part of their time; what they print comes step by step all the same.
const turns = createTurns((text) => process.stdout.write(text))
const planned = wanted.map((step) => ({ step, turn: turns.take() }))

const take = async ({ step, turn }: (typeof planned)[number]): Promise<Tally> => {
  const startedAt = performance.now()
  turn.write(`\n── ${step.name}: ${step.title}\n`)
  const tally = await step.run({ quick: values.quick === true, write: turn.write })
  turn.write(`── ${step.name}: ${formatTally(tally)} in ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`)
  turn.end()
  return tally
}

const tallies = new Map<Step, Tally>()
const lanes = Map.groupBy(planned, ({ step }) => step.lane).values()
await Promise.all(
  Array.from(lanes, async (lane) => {
    for (const plan of lane) tallies.set(plan.step, await take(plan))
  }),
)

const total = addTallies([...tallies.values()])
const failedSteps = wanted.filter((step) => tallies.get(step)?.failed !== 0)
if (total.skipped.length > 0) console.log(`\nskipped:\n${formatSkipped(total).join('\n')}`)
if (failedSteps.length > 0) console.log(`\nfailed steps: ${failedSteps.map(({ name }) => name).join(', ')}`)
console.log(`\n${formatTally(total)}`)
process.exit(total.failed > 0 ? 1 : 0)
