import { existsSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../..')
const CACHE = join(ROOT, '.cache', 'aws-local')
export const EMULATOR_PYTHON = join(CACHE, 'venv', 'bin', 'python')
export const RUNTIME_PYTHON = join(CACHE, 'runtime', 'bin', 'python')
/** matplotlib's list of fonts, where the image has one too. */
export const FONTS = join(CACHE, 'runtime', 'matplotlib')
export const OWN_PYTHON = join(ROOT, '.venv', 'bin', 'python')
export const RIE = join(ROOT, '.cache', 'rie', 'aws-lambda-rie')
export const RUNNER_IMAGE = join(ROOT, 'runner-image')
/** Below the checkout: the environments' /tmp is their own and would hide a folder there. */
export const IMAGE_COPIES = join(CACHE, 'images')

/** What is missing on a machine and the one thing to do about it; null when nothing is. */
export const whatIsMissing = (root: string = ROOT, architecture: string = process.arch): string | null => {
  const absent = (path: string): boolean => !existsSync(join(root, relative(ROOT, path)))
  // AWS's emulator is pinned for one architecture: there is nothing to be done on others.
  if (architecture !== 'x64' && absent(RIE))
    return `the AWS stand-in needs AWS's runtime interface emulator, which is pinned for x86_64 alone; this is ${architecture}`
  const missing = [
    ...(absent(EMULATOR_PYTHON) ? ["the emulator's Python environment (.cache/aws-local/venv)"] : []),
    ...(absent(RIE) ? ["AWS's runtime interface emulator (.cache/rie/aws-lambda-rie)"] : []),
    ...(absent(OWN_PYTHON) ? ["Berth's Python packages (.venv)"] : []),
  ]
  if (missing.length === 0) return null
  return `the AWS stand-in lacks ${missing.join(' and ')}; do this one thing: sh scripts/setup.sh --for-tests`
}
