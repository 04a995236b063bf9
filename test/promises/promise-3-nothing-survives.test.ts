import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Berth } from '../../src/client/berth.ts'
import { openSite, type Site, valueOf } from './site.ts'

let site: Site
let tenant: Berth

beforeAll(async () => {
  site = await openSite()
  tenant = await site.signUp('one')
})

afterAll(() => site[Symbol.asyncDispose]())

const leave = `
import builtins, json, os, subprocess, sys, tempfile
builtins.left = sys.left = json.left = "behind"
os.environ["LEFT"] = "behind"
places = [os.getcwd(), tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm", "outputs"]
written = []
for place in places:
    try:
        open(os.path.join(place, "left-behind"), "w").write("x")
        written.append(place)
    except OSError:
        pass
# It must have spoken before anybody looks for it: seen too early, a new process was now and then not in /proc yet.
speaking = ["sh", "-c", "echo up; exec sleep 600"]
subprocess.Popen(speaking, start_new_session=True, stdout=subprocess.PIPE).stdout.readline()
written
`

const look = `
import builtins, json, os, sys, tempfile
found = [name for name, place in (("builtins", builtins), ("sys", sys), ("json", json)) if hasattr(place, "left")]
found += [name for name in os.environ if name == "LEFT"]
for place in [os.getcwd(), tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm", "outputs"]:
    if os.path.exists(os.path.join(place, "left-behind")):
        found.append(place)
found + [name for name in os.listdir("/proc") if name.isdigit() and name != str(os.getpid())]
`

test('no global, module, file or process of a run is there in the next one of the same tenant', async () => {
  const written = valueOf(await tenant.run(leave))

  expect((written as string[]).length).toBeGreaterThan(1)
  expect(valueOf(await tenant.run(look))).toEqual([])
})

test('inside one run all of it is there (control)', async () => {
  const found = valueOf(await tenant.run(leave + look)) as string[]

  expect(found).toEqual(expect.arrayContaining(['builtins', 'sys', 'json', 'LEFT', 'outputs']))
  expect(found.some((name) => /^\d+$/.test(name))).toBe(true)
})

test('TypeScript globals and files do not survive either', async () => {
  const code = `
import { existsSync, writeFileSync } from 'node:fs'
const seen = [(globalThis as any).left, existsSync('left-behind')]
;(globalThis as any).left = 'behind'
writeFileSync('left-behind', 'x')
export default [...seen.map((value) => value ?? null), existsSync('left-behind')]`

  const first = valueOf(await tenant.run(code, { language: 'typescript' }))
  const second = valueOf(await tenant.run(code, { language: 'typescript' }))

  expect([first, second]).toEqual([
    [null, false, true],
    [null, false, true],
  ])
})
