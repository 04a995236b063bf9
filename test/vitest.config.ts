import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { needs } from './support/needs.ts'

/** What takes longest, half a minute and more, the longest first: begun last, it would be waited for by all other workers. */
const long = [
  'durability/kill-nine-postgres.',
  'durability/kill-nine.',
  'backends/local/replacement.',
  'rollout/lambda-rollout.',
  'cli/aws-commands.',
  'main/local-rollback.',
  'cli/against-server.',
  'http/schemathesis.',
  'scripts/image/workflow.',
  'durability/kill-nine-rollout.',
  'scripts/live-smoke.',
  'rollout/shared-rollout.',
  'main/local-rollouts.',
  'backends/lambda/thousand-sign-ups.',
]
/** Its place among the long ones, or after all of them. */
const placeOf = ({ moduleId }: TestSpecification): number => {
  const place = long.findIndex((name) => moduleId.includes(`/test/${name}`))
  return place < 0 ? long.length : place
}

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // Not an array's method but the sequencer's own.
    // oxlint-disable-next-line unicorn/no-array-sort
    const sorted = await super.sort(files)
    return sorted.toSorted((one, other) => placeOf(one) - placeOf(other))
  }
}

export default defineConfig({
  test: {
    root: `${import.meta.dirname}/..`,
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/fail-on-warning.ts', 'test/support/say-why-skipped.ts'],
    globalSetup: ['test/support/make-light-python.ts'],
    tags: needs,
    // What Node compiles for one process serves the next: a run starts hundreds of servers and commands.
    env: { NODE_COMPILE_CACHE: `${import.meta.dirname}/../.cache/test/compiled` },
    // Tests must not lean on their order, and yet a run must be one that can be had again: `--sequence.seed=<n>` tries another order.
    sequence: { shuffle: { tests: true, files: false }, seed: 24, sequencer: LongestFirst },
    // One more than the two cores that CI has: with two, a third of the time went by in waiting for servers, stacks and polls.
    maxWorkers: 3,
    // How long a hung test is waited for. No test measures itself by these: a loaded machine takes its time.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 120_000 } },
    reporters: ['default'],
  },
})
