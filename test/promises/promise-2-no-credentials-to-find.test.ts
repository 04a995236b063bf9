import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Berth } from '../../src/client/berth.ts'
import { setVariables } from '../support/set-variables.ts'
import { openSite, type Site, valueOf } from './site.ts'

const planted = { AWS_SECRET_ACCESS_KEY: 'planted-aws-secret', DATABASE_PASSWORD: 'planted-db-secret' }
let site: Site
let tenant: Berth
let variables: Disposable

beforeAll(async () => {
  variables = setVariables(planted)
  site = await openSite()
  tenant = await site.signUp('curious')
})

afterAll(async () => {
  variables[Symbol.dispose]()
  await site[Symbol.asyncDispose]()
})

const pythonSees = `
import os
seen = dict(os.environ)
for name in os.listdir("/proc"):
    try:
        seen[name] = open(f"/proc/{name}/environ").read()
    except OSError:
        pass
seen
`

const nodeSees = `
import { readFileSync } from 'node:fs'
let block = ''
try { block = readFileSync('/proc/self/environ', 'utf8') } catch {}
export default { ...process.env, block }
`

test('the environment of a Python run holds no variable of the server', async () => {
  const seen = JSON.stringify(valueOf(await tenant.run(pythonSees)))

  expect(seen).toContain('PATH')
  for (const secret of Object.values(planted)) expect(seen).not.toContain(secret)
  expect(seen).not.toMatch(/AWS_|BERTH_|DATABASE_/)
})

test('the environment of a TypeScript run holds no variable of the server', async () => {
  const seen = JSON.stringify(valueOf(await tenant.run(nodeSees, { language: 'typescript' })))

  expect(seen).toContain('PATH')
  for (const secret of Object.values(planted)) expect(seen).not.toContain(secret)
  expect(seen).not.toMatch(/AWS_|BERTH_|DATABASE_/)
})

test('the server itself does hold the planted secrets (control)', () => {
  expect(process.env).toMatchObject(planted)
})
