import { randomBytes, randomUUID } from 'node:crypto'
import { cp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { makeFolder } from '../main/make-folder.ts'
import { usageError } from './command.ts'
import { visible } from './visible.ts'
import { writeFault } from './write-fault.ts'

export interface FirebaseHook {
  readonly folder: string
  readonly project: string
  /** Of Berth's hook endpoint. */
  readonly url: string
  readonly region: string
  /** Anonymous users get a berth at sign-up as well. */
  readonly withAnonymous: boolean
  /** Google's service account that the functions run as and prove themselves by; null has them sign with a secret. */
  readonly serviceAccount: string | null
}

const template = join(import.meta.dirname, '../../templates/firebase-hook')

/** `templates/firebase-hook`, configured, and with a secret of its own where it signs. The folder is whole or not there. */
export const writeFirebaseHook = async (hook: FirebaseHook): Promise<void> => {
  const folder = resolve(hook.folder)
  await assertFree(folder)
  const draft = join(dirname(folder), `.${basename(folder)}.${randomUUID()}.part`)
  try {
    await makeFolder(dirname(folder))
    await cp(template, draft, { recursive: true, filter: isSource })
    if (hook.serviceAccount !== null) await cp(`${template}/google/proof.ts`, `${draft}/functions/src/proof.ts`)
    for (const { name, text, mode } of ownFiles(hook))
      await writeFile(join(draft, name), `${text}\n`, { mode, flag: 'wx' })
    await rename(draft, folder)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    writeFault(hook.folder)(error)
  }
}

/** A checkout may have been built in; `google` has what takes the place of a file. */
const isSource = (path: string): boolean => !['node_modules', 'lib', 'google'].includes(basename(path))

const assertFree = async (folder: string): Promise<void> => {
  const found = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    return writeFault(folder)(error)
  })
  if (found.length > 0)
    throw usageError(
      `--folder: expected a folder that is new or empty, got ${visible(folder)} with ${found.length} entries`,
      'Nothing is overwritten: name another folder, or move this one away.',
    )
}

const ownFiles = ({ project, url, region, withAnonymous, serviceAccount }: FirebaseHook) => [
  { name: '.firebaserc', text: JSON.stringify({ projects: { default: project } }, null, 2), mode: 0o666 },
  { name: '.gitignore', text: ['node_modules/', 'lib/', '*.local', '*-debug.log'].join('\n'), mode: 0o666 },
  {
    name: `functions/.env.${project}`,
    text: [
      `BERTH_HOOK_URL=${url}`,
      `BERTH_HOOK_REGION=${region}`,
      `BERTH_ANONYMOUS_USERS=${withAnonymous ? 'provision' : 'skip'}`,
      'BERTH_MAX_EVENT_HOURS=20',
      ...(serviceAccount === null ? [] : [`BERTH_HOOK_SERVICE_ACCOUNT=${serviceAccount}`]),
    ].join('\n'),
    mode: 0o666,
  },
  ...(serviceAccount === null ? [newSecret()] : []),
]

const newSecret = () => ({
  name: 'functions/.secret.local',
  text: `BERTH_HOOK_SECRET=whsec_${randomBytes(32).toString('base64')}`,
  mode: 0o600,
})
