import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../..')
const CACHE = join(ROOT, '.cache', 'aws-local')
export const EMULATOR_PYTHON = join(CACHE, 'venv', 'bin', 'python')
export const RUNTIME_PYTHON = join(CACHE, 'runtime', 'bin', 'python')
export const OWN_PYTHON = join(ROOT, '.venv', 'bin', 'python')
export const RIE = join(ROOT, '.cache', 'rie', 'aws-lambda-rie')
export const RUNNER_IMAGE = join(ROOT, 'runner-image')
/** Below the checkout: the environments' /tmp is their own and would hide a folder there. */
export const IMAGE_COPIES = join(CACHE, 'images')

/** What is missing on this machine and the one thing to do about it; null when nothing is. */
export const whatIsMissing = (): string | null => {
  const missing = [
    ...(existsSync(EMULATOR_PYTHON) ? [] : ["the emulator's Python environment (.cache/aws-local/venv)"]),
    ...(existsSync(RIE) ? [] : ["AWS's runtime interface emulator (.cache/rie/aws-lambda-rie)"]),
    ...(existsSync(OWN_PYTHON) ? [] : ["Berth's Python packages (.venv)"]),
  ]
  if (missing.length === 0) return null
  return `the AWS stand-in lacks ${missing.join(' and ')}; do this one thing: sh scripts/setup.sh --for-tests`
}
