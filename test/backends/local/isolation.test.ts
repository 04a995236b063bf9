import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BerthId } from '../../../src/domain/ids.ts'
import { bodyOf, quiet } from '../../contract/content.ts'
import { makeBackend, oneRun } from './subject.ts'

const python = join(import.meta.dirname, '../../../.venv/bin/python')
const signal = quiet()

/** Looks for a word in every file it may open below a folder, and in what /proc tells of every process. */
const SCANNER = `
import os

def main(variables):
    word = variables["word"].encode()
    found = []
    for root in variables["roots"]:
        for folder, _, names in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                try:
                    with open(path, "rb") as file:
                        if word in file.read(1_000_000):
                            found.append(path)
                except OSError:
                    pass
    for pid in filter(str.isdigit, os.listdir("/proc")):
        # Its own command line names the word only in the control.
        if int(pid) == os.getpid():
            continue
        for name in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    if word in file.read():
                        found.append(f"/proc/{pid}/{name}")
            except OSError:
                pass
    return found
`

describe('two tenants of this machine', () => {
  let backend: Awaited<ReturnType<typeof makeBackend>>
  let mine: BerthId
  let theirs: BerthId
  const word = `secret-${Math.random().toString(36).slice(2)}`
  beforeAll(async () => {
    backend = await makeBackend()
    mine = backend.ids.berthId()
    theirs = backend.ids.berthId()
    for (const berthId of [mine, theirs]) await backend.berths.create(berthId, { signal })
    await put(theirs, 'theirs.txt', word)
  })
  afterAll(() => backend?.[Symbol.asyncDispose]())

  const put = (berthId: BerthId, name: string, text: string) =>
    backend.files.put({ berthId, area: 'files' }, name, bodyOf(text), { maxBytes: 10_000, signal })
  const valueOf = async (berthId: BerthId, code: string, more: object = {}) => {
    const reply = await oneRun(backend, berthId, { code, ...more })
    expect(reply.outcome).toMatchObject({ status: 'succeeded' })
    return reply.results.find((result) => result.isMain)?.json
  }

  test("a scan of everything a run can open does not find the other's file, and a scan outside does", async () => {
    const roots = ['/tmp', '/var', '/home', '/root', '/mnt', '/srv', '/run', '/sandbox', backend.dataDir]

    expect(await valueOf(mine, SCANNER, { variables: { word, roots } })).toEqual([])

    // The control: the same code without a sandbox finds it, and in its own berth it is found too.
    const plainly = `${SCANNER}\nimport json, sys\nprint(json.dumps(main({"word": sys.argv[1], "roots": [sys.argv[2]]})))`
    const { stdout } = await promisify(execFile)(python, ['-c', plainly, word, backend.dataDir])
    expect(JSON.parse(stdout)).toContainEqual(expect.stringContaining('theirs.txt'))
    const own = await valueOf(theirs, SCANNER, { variables: { word, roots: ['.'] }, files: ['theirs.txt'] })
    expect(own).toEqual(['./theirs.txt'])
  })

  test('a run that goes on beside it shows nothing of itself', async () => {
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    const stop = new AbortController()
    const code = `import os, subprocess, sys
open("work.txt", "w").write("${word}")
open("/tmp/work.txt", "w").write("${word}")
subprocess.Popen(["sleep", "600"], env={**os.environ, "WORD": "${word}"})
print("begun", flush=True)
import time
time.sleep(600)`
    const limits = { timeoutMs: 600_000 }
    const beside = oneRun(backend, theirs, { code, limits, signal: stop.signal, onOutput: () => begin() })
    await begun

    const roots = ['/tmp', '/sandbox', '/dev/shm', '/var']
    const found = await valueOf(mine, SCANNER, { variables: { word, roots } })
    const processes = await valueOf(mine, 'import os\nlen([pid for pid in os.listdir("/proc") if pid.isdigit()])')
    stop.abort()

    expect(found).toEqual([])
    expect(processes).toBeLessThanOrEqual(2)
    expect((await beside).outcome.status).toBe('canceled')
  })

  test('a run that kills everything it can kills nobody else', async () => {
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    const code = 'import time\nprint("begun", flush=True)\ntime.sleep(0.5)\n"alive"'
    const beside = oneRun(backend, theirs, { code, onOutput: () => begin() })
    await begun

    await oneRun(backend, mine, {
      code: `import os, signal
for pid in [-1, *range(1, 5000)]:
    if pid != os.getpid():
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
`,
    })

    expect((await beside).outcome.status).toBe('succeeded')
    expect((await oneRun(backend, mine, { code: '1' })).outcome.status).toBe('succeeded')
  })

  test('its files cannot be changed by a run, and what the run sees is theirs', async () => {
    await put(mine, 'data.csv', 'a,b\n1,2\n')
    const code = `import os
out = [open("data.csv").read()]
for attempt in (lambda: open("data.csv", "a"), lambda: os.chmod("data.csv", 0o777), lambda: os.truncate("data.csv", 0)):
    try:
        attempt()
        out.append("possible")
    except OSError as error:
        out.append(type(error).__name__)
out`

    const [text, ...attempts] = (await valueOf(mine, code, { files: ['data.csv'] })) as string[]

    expect(text).toBe('a,b\n1,2\n')
    expect(attempts).not.toContain('possible')
    const kept = await backend.files.get({ berthId: mine, area: 'files' }, 'data.csv', { signal })
    expect(kept?.entry.bytes).toBe(8)
    await kept?.body[Symbol.asyncIterator]().return?.()
    // The control: a file of its own making can be changed.
    expect(await valueOf(mine, 'open("own.txt", "w").write("x")\nopen("own.txt", "a").write("y")')).toBe(1)
  })

  test('files that it did not name are not there', async () => {
    await put(mine, 'named.txt', 'x')
    await put(mine, 'unnamed.txt', 'x')

    expect(await valueOf(mine, 'import os\nsorted(os.listdir("."))', { files: ['named.txt'] })).toEqual([
      'named.txt',
      'outputs',
    ])
  })

  test('artifacts with names that lead out end in the run that wrote them, or nowhere', async () => {
    const runs = await backend.files.list({ berthId: theirs, area: 'files' }, { cursor: null, limit: 10, signal })
    const code = `import os
os.symlink("/etc/passwd", "outputs/passwd")
os.symlink("../..", "outputs/up")
os.mkfifo("outputs/pipe")
os.makedirs("outputs/deep/er")
open("outputs/deep/er/a.txt", "w").write("fine")
None`

    const reply = await oneRun(backend, mine, { code })

    expect(reply.artifacts.map((artifact) => artifact.name)).toEqual(['deep/er/a.txt'])
    expect(await backend.files.list({ berthId: theirs, area: 'files' }, { cursor: null, limit: 10, signal })).toEqual(
      runs,
    )
  })

  test('no socket leads out', async () => {
    const code = `import socket
out = []
for family in ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK"):
    try:
        socket.socket(getattr(socket, family), socket.SOCK_STREAM)
        out.append(family)
    except OSError:
        pass
out`

    expect(await valueOf(mine, code)).toEqual([])
    const { stdout } = await promisify(execFile)(python, ['-c', `${code.slice(0, -3)}print(out)`])
    expect(stdout).toContain('AF_INET')
  })

  test('the environment holds nothing of the server', async () => {
    const names = (await valueOf(mine, 'import os\nsorted(os.environ)')) as string[]

    expect(names.filter((name) => /AWS|BERTH|TOKEN|SECRET|KEY|DATABASE/i.test(name))).toEqual([])
    expect(names).toContain('PATH')
  })
})

test('at the unsafe level the self-test says what is not held', async (context) => {
  const backend = await makeBackend({ level: 'guard', unsafe: true }).catch(() => null)
  context.skip(backend === null, 'this runner has no level without namespaces')
  if (backend === null) return
  await using unsafe = backend
  const berthId = unsafe.ids.berthId()
  await unsafe.berths.create(berthId, { signal })

  const report = await unsafe.fleet.selfTest(berthId, { signal })

  expect(report.checks.find((check) => check.name === 'sandbox')?.passed).toBe(false)
  expect(report.passed).toBe(true)
  expect((await unsafe.dispatch.describe()).warnings.join(' ')).toMatch(/./)
})
