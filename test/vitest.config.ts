import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    root: `${import.meta.dirname}/..`,
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/fail-on-warning.ts'],
    sequence: { shuffle: true },
    // Two cores: more workers only make tests that start real processes wait for each other.
    maxWorkers: 2,
    // How long a hung test is waited for. No test measures itself by these: a loaded machine takes its time.
    testTimeout: 90_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    reporters: ['default'],
  },
})
