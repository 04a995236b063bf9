/** `node scripts/image/check-version.ts --since <commit>`: whoever changes what the runner image holds must raise its version. */
import { execFile } from 'node:child_process'
import { parseArgs, promisify } from 'node:util'
import { Fault, needed, parseVersion, runCommand } from './command.ts'

/** What reaches the image; a README does not. */
const held = ['Dockerfile', '.dockerignore', 'VERSION', 'requirements.txt', 'berth_runner'].map(
  (name) => `runner-image/${name}`,
)

const run = promisify(execFile)
const git = async (...args: readonly string[]): Promise<string> => (await run('git', args)).stdout

const exists = (commit: string): Promise<boolean> =>
  git('cat-file', '-e', `${commit}^{commit}`).then(
    () => true,
    () => false,
  )

/** A new branch has no commit before it (GitHub says zeros), and a forced push may have lost it: then its parent has to do. */
const baseOf = async (since: string): Promise<string | null> => {
  if (/^[0-9a-f]{40}$/.test(since) && (await exists(since))) return since
  console.error(`check-version: ${since || 'nothing'} is not in this history; comparing with the commit before`)
  return (await exists('HEAD^')) ? 'HEAD^' : null
}

const versionAt = async (commit: string): Promise<number> => {
  const text = await git('show', `${commit}:runner-image/VERSION`).catch(() => null)
  return text === null ? 0 : parseVersion(text, `runner-image/VERSION of ${commit}`)
}

await runCommand('check-version', async () => {
  const { values } = parseArgs({ options: { since: { type: 'string' } } })
  const base = await baseOf(needed(values.since, '--since <commit>'))
  const now = await versionAt('HEAD')
  if (base === null) return console.log(`version ${now}: the first commit`)
  const changed = (await git('diff', '--name-only', base, 'HEAD', '--', ...held))
    .split('\n')
    .filter((name) => name !== '')
  const before = await versionAt(base)
  if (changed.length === 0) return console.log(`version ${now}: nothing changed that the image holds`)
  if (now > before) return console.log(`version ${before} to ${now}, ${changed.length} files changed`)
  throw new Fault(
    `runner-image/VERSION: expected more than ${before}, got ${now}, and ${changed.join(', ')} changed. ` +
      `The fence and every rollout go by this number: write ${before + 1} into it and push again.`,
  )
})
