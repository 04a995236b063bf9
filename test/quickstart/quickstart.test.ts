import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { compose } from '../../src/main/compose.ts'
import { parseConfig } from '../../src/main/config.ts'

const root = resolve(import.meta.dirname, '../..')
const dataDir = resolve(root, '.berth/quickstart')
const PNG = [0x89, 0x50, 0x4e, 0x47]
/** The first of the two sets up what is missing. */
const TIMEOUT_MS = 300_000

const quickstart = async (...args: readonly string[]) => {
  const child = spawn('npm', ['run', '--silent', 'quickstart', '--', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [stdout, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  const lines = stdout.trim().split('\n')
  return { code: code as number | null, last: JSON.parse(lines.at(-1) ?? '') as Record<string, unknown> }
}

/** Processes that were given a path below this folder: the runner is told where its scratch folder is. */
const processesOf = (folder: string): readonly string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      } catch {
        return ''
      }
    })
    .filter((line) => line.includes(folder))

const configOf = () => parseConfig({ BERTH_DATA_DIR: dataDir, BERTH_PORT: '0', BERTH_LOG_LEVEL: 'silent' })

test(
  'the quickstart ends well with a chart, leaves nothing running, and starts a second time',
  async () => {
    const first = await quickstart('--json')
    // The kernel may still be taking down what was killed.
    await expect.poll(() => processesOf(dataDir)).toEqual([])
    const second = await quickstart('--json')

    expect(first).toMatchObject({ code: 0, last: { ok: true, rows: 3 } })
    expect([...readFileSync(String(first.last['chart'])).subarray(0, 4)]).toEqual(PNG)
    expect(second).toMatchObject({ code: 0, last: { ok: true } })
  },
  TIMEOUT_MS,
)

test(
  'control: it ends with ok false and exit code 1 when it cannot keep its promise, and a server that runs is seen',
  async () => {
    await using server = await compose(configOf())

    expect(server.url).toMatch(/^http:/)
    expect(processesOf(dataDir).length).toBeGreaterThan(0)
    expect(await quickstart('--json')).toMatchObject({ code: 1, last: { ok: false, code: 'data_dir_locked' } })
  },
  TIMEOUT_MS,
)
