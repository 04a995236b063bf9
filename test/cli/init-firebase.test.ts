import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseConfig } from '../../src/main/config.ts'
import { parseHookSecret } from '../../src/identity/hook-signature.ts'
import { berth } from './berth-process.ts'
import { berthOnTerminal } from './on-terminal.ts'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'berth-init-firebase-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

const given = ['init', 'firebase', '--project', 'example-app', '--url', 'https://berth.example.com']
const init = (folder: string, ...flags: string[]) => berth([...given, '--folder', join(root, folder), ...flags])
const read = (...path: string[]) => readFile(join(root, ...path), 'utf8')
const secretIn = async (folder: string): Promise<string> =>
  (await read(folder, 'functions/.secret.local')).trim().replace('BERTH_HOOK_SECRET=', '')

test('writes the package configured, and says what to do next without showing the secret', async () => {
  const { code, stdout, stderr } = await init('told', '--region', 'europe-west1')

  expect(code).toBe(0)
  expect((await readdir(join(root, 'told'), { recursive: true })).toSorted()).toEqual([
    '.firebaserc',
    '.gitignore',
    'firebase.json',
    'functions',
    'functions/.env.example-app',
    'functions/.secret.local',
    'functions/package.json',
    'functions/src',
    'functions/src/index-v1.ts',
    'functions/src/index.ts',
    'functions/src/proof.ts',
    'functions/src/send.ts',
    'functions/tsconfig.json',
  ])
  expect(await read('told', 'functions/.env.example-app')).toBe(
    'BERTH_HOOK_URL=https://berth.example.com/v1/hooks/identity\nBERTH_HOOK_REGION=europe-west1\nBERTH_ANONYMOUS_USERS=skip\nBERTH_MAX_EVENT_HOURS=20\n',
  )
  expect(JSON.parse(await read('told', '.firebaserc'))).toEqual({ projects: { default: 'example-app' } })
  expect(stdout).toContain('firebase functions:secrets:set BERTH_HOOK_SECRET')
  expect(stdout).toContain('firebase deploy --only functions:berth-hook')
  expect(stdout).toContain('BERTH_HOOK_SECRETS=')
  expect(stdout + stderr).not.toContain(await secretIn('told'))
})

test('the secret is new each time, one that the server takes, and readable by its owner alone', async () => {
  await Promise.all([init('one'), init('two', '--anonymous')])
  const secrets = [await secretIn('one'), await secretIn('two')]

  expect(secrets.map((secret) => parseHookSecret(secret)?.length)).toEqual([32, 32])
  expect(secrets[0]).not.toBe(secrets[1])
  expect((await stat(join(root, 'one/functions/.secret.local'))).mode & 0o777).toBe(0o600)
  expect(await read('one', '.gitignore')).toContain('*.local\n')
  expect(await read('one', 'firebase.json')).toContain('"*.local"')
  expect(await read('two', 'functions/.env.example-app')).toContain('BERTH_ANONYMOUS_USERS=provision')
})

test('with --auth google there is no secret, and the server is told whom to let in', async () => {
  const { code, stdout } = await init('google', '--auth', 'google')

  expect(code).toBe(0)
  expect(await readdir(join(root, 'google/functions'))).not.toContain('.secret.local')
  expect(await read('google', 'functions/.env.example-app')).toContain(
    'BERTH_HOOK_SERVICE_ACCOUNT=berth-hook@example-app.iam.gserviceaccount.com\n',
  )
  expect(await read('google', 'functions/src/proof.ts')).toContain('metadata.google.internal')
  expect(stdout).toContain('gcloud iam service-accounts create berth-hook --project example-app')
  expect(stdout).not.toContain('BERTH_HOOK_SECRET')
  const [, setting = ''] = /BERTH_HOOK_AUTH=google BERTH_HOOK_GOOGLE='(.*)'/.exec(stdout) ?? []
  expect(parseConfig({ BERTH_HOOK_AUTH: 'google', BERTH_HOOK_GOOGLE: setting }).hookGoogle).toMatchObject({
    audience: 'https://berth.example.com/v1/hooks/identity',
    emails: ['berth-hook@example-app.iam.gserviceaccount.com'],
  })
})

test('an account of another project is not made, only named', async () => {
  const { stdout } = await init('other', '--auth', 'google', '--service-account', 'a@other.iam.gserviceaccount.com')

  expect(stdout).not.toContain('service-accounts create')
  expect(stdout).toContain('"emails":["a@other.iam.gserviceaccount.com"]')
})

test('nothing is overwritten, and nothing half stays behind', async () => {
  await mkdir(join(root, 'taken'))
  await writeFile(join(root, 'taken/mine'), 'mine')

  const { code, stderr } = await init('taken')

  expect(code).toBe(2)
  expect(stderr).toContain('expected a folder that is new or empty')
  expect(await readdir(join(root, 'taken'))).toEqual(['mine'])
  expect((await readdir(root)).filter((name) => name.endsWith('.part'))).toEqual([])
})

test.each([
  ['--project', 'My App', 'the id of a Firebase project'],
  ['--project', '../../etc', 'the id of a Firebase project'],
  ['--url', 'http://berth.example.com', 'https://<host>'],
  ['--url', 'https://user:word@berth.example.com', 'https://<host>'],
  ['--url', 'https://berth.example.com/?a=b', 'https://<host>'],
  ['--region', 'eu west', 'a region of Google Cloud'],
  ['--auth', 'oidc', 'secret or google'],
  ['--service-account', 'a@p.iam.gserviceaccount.com', '--auth google beside it'],
])('%s %s is refused before anything is written', async (flag, value, expected) => {
  const { code, stderr } = await init('refused', flag, value)

  expect(code).toBe(2)
  expect(stderr).toContain(`${flag}: expected ${expected}`)
  expect(await readdir(root)).not.toContain('refused')
})

test('an account that would be more than one line is refused', async () => {
  const { code, stderr } = await init('refused', '--auth', 'google', '--service-account', 'a@b.c\nBERTH_HOOK_URL=x')

  expect(code).toBe(2)
  expect(stderr).toContain('--service-account: expected <name>@<project>.iam.gserviceaccount.com')
})

test('without a terminal what is missing is named', async () => {
  const { code, stderr } = await berth(['init', 'firebase'])

  expect(code).toBe(2)
  expect(stderr).toMatch(/^berth: --project: expected a value, got none.*\n {2}Give it as --project\.$/m)
})

test('a whole address of the hook stays as it is; a path in front of it is kept', async () => {
  const urls = ['https://b.example/v1/hooks/identity', 'https://b.example/berth/', 'http://127.0.0.1:8787']
  const written = await Promise.all(
    urls.map(async (url, at) => {
      await init(`path-${at}`, '--url', url)
      return (await read(`path-${at}`, 'functions/.env.example-app')).split('\n')[0]
    }),
  )

  expect(written).toEqual([
    'BERTH_HOOK_URL=https://b.example/v1/hooks/identity',
    'BERTH_HOOK_URL=https://b.example/berth/v1/hooks/identity',
    'BERTH_HOOK_URL=http://127.0.0.1:8787/v1/hooks/identity',
  ])
})

test('at a terminal it asks for what was not given', { tags: ['terminal'] }, async () => {
  const asking = berthOnTerminal(['init', 'firebase', '--folder', join(root, 'asked')])
  await asking.shows('Which Firebase project?')
  asking.type('example-app\r')
  await asking.shows('Where is your Berth?')
  asking.type('https://berth.example.com\r')

  const { code } = await asking.ended()

  expect(code).toBe(0)
  expect(await read('asked', 'functions/.env.example-app')).toContain('BERTH_HOOK_URL=https://berth.example.com/')
})
