import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { berth } from '../cli/berth-process.ts'
import { EMULATOR_MODULES } from './emulator-paths.ts'

export const PROJECT = 'demo-berth'
const tsc = resolve(import.meta.dirname, '../../node_modules/.bin/tsc')

/** The hook package as `berth init firebase` writes it, built; its libraries are those of the emulators. */
export const makeHookPackage = async (url: string, ...flags: readonly string[]) => {
  const root = await mkdtemp(join(tmpdir(), 'berth-firebase-'))
  const folder = join(root, 'hook')
  const given = ['--project', PROJECT, '--url', url, '--folder', folder, ...flags]
  const { code, stderr } = await berth(['init', 'firebase', ...given])
  if (code !== 0) throw new Error(`berth init firebase ended with ${code}: ${stderr}`)
  const functions = join(folder, 'functions')
  await symlink(EMULATOR_MODULES, join(functions, 'node_modules'))
  await promisify(execFile)(tsc, ['-p', functions])
  const secret = await readFile(join(functions, '.secret.local'), 'utf8').catch(() => '')
  return {
    folder,
    functions,
    /** Empty where the functions have another proof. */
    secret: secret.trim().replace('BERTH_HOOK_SECRET=', ''),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  }
}

export type HookPackage = Awaited<ReturnType<typeof makeHookPackage>>
