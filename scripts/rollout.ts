/** A rollout from a workflow: `node scripts/rollout.ts --region … --image …` is `berth rollout start`, with the same exit codes. */
process.argv.splice(2, 0, 'rollout', 'start')
await import('../src/cli/berth.ts')
