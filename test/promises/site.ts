import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { signHook } from '../../scripts/signed-hook.ts'
import { type Berth, createBerth } from '../../src/client/berth.ts'
import type { Run } from '../../src/domain/run.ts'
import { type Composed, compose } from '../../src/main/compose.ts'
import { parseConfig } from '../../src/main/config.ts'

export interface Site extends AsyncDisposable {
  readonly berth: Composed
  readonly dataDir: string
  readonly operator: Berth
  /** Signs the tenant up by the signed hook, and acts for them. */
  signUp(uid: string): Promise<Berth>
  deleteUser(uid: string): Promise<void>
}

const project = 'promises'

/** A whole server on a free port, with a data directory of its own. */
export const openSite = async (env: Readonly<Record<string, string>> = {}): Promise<Site> => {
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-promises-'))
  const hookSecret = `whsec_${randomBytes(32).toString('base64')}`
  const berth = await compose(
    parseConfig({
      BERTH_DATA_DIR: dataDir,
      BERTH_PORT: '0',
      BERTH_HOOK_SECRETS: hookSecret,
      BERTH_LOG_LEVEL: 'silent',
      ...env,
    }),
  )
  const operatorKey = (await readFile(join(dataDir, 'operator.key'), 'utf8')).trim()
  const operator = createBerth({ baseUrl: berth.url, key: operatorKey })
  const { secret: key } = await operator.keys.create({ name: 'promises', role: 'service', project })

  const callHook = async (type: string, uid: string): Promise<void> => {
    const event = signHook({ secret: hookSecret, payload: { type, data: { project, uid } } })
    const answer = await fetch(`${berth.url}/v1/hooks/identity`, { method: 'POST', ...event })
    if (answer.status !== 202) throw new Error(`the hook answered ${answer.status}: ${await answer.text()}`)
  }

  return {
    berth,
    dataDir,
    operator,
    signUp: async (uid) => {
      await callHook('user.created', uid)
      return createBerth({ baseUrl: berth.url, key, tenant: uid })
    },
    deleteUser: (uid) => callHook('user.deleted', uid),
    async [Symbol.asyncDispose]() {
      await berth[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** The value of a run that must have succeeded. */
export const valueOf = (run: Run): unknown => {
  if (run.status !== 'succeeded') throw new Error(`${run.status}: ${run.error?.traceback ?? run.failure?.detail}`)
  return run.results.find(({ isMain }) => isMain)?.json
}
