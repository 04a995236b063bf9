import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { bareEnvironment } from '../support/bare-environment.ts'
import { EMULATOR_MODULES } from './emulator-paths.ts'
import { type HookPackage, PROJECT } from './hook-package.ts'

const program = join(EMULATOR_MODULES, 'firebase-functions/lib/bin/firebase-functions.js')

/** What `firebase deploy` reads from the package: triggers, parameters and secrets. */
export const readManifest = async ({ folder, functions }: HookPackage): Promise<unknown> => {
  const manifest = join(folder, 'manifest.json')
  const env = { ...bareEnvironment(), GCLOUD_PROJECT: PROJECT, FUNCTIONS_MANIFEST_OUTPUT_PATH: manifest }
  await promisify(execFile)(process.execPath, [program, '.'], { cwd: functions, env })
  return JSON.parse(await readFile(manifest, 'utf8'))
}
