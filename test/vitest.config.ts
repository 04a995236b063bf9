import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    root: `${import.meta.dirname}/..`,
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/fail-on-warning.ts'],
    sequence: { shuffle: true },
    // One more than the two cores that CI has: with two, a third of the time went by in waiting for servers, stacks and polls.
    maxWorkers: 3,
    // How long a hung test is waited for. No test measures itself by these: a loaded machine takes its time.
    testTimeout: 90_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    reporters: ['default'],
  },
})
