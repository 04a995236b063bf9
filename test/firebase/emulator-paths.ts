import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** A package of its own, for it is 290 MB; the hook package in a test takes its libraries from here as well. */
export const EMULATOR_MODULES = join(import.meta.dirname, 'emulators/node_modules')
export const FIREBASE = join(EMULATOR_MODULES, 'firebase-tools/lib/bin/firebase.js')

/** What is missing on this machine and the one thing to do about it; null when nothing is. */
export const whyNoEmulators = (modules: string = EMULATOR_MODULES): string | null =>
  ['firebase-tools', 'firebase-functions', 'firebase-admin'].every((name) =>
    existsSync(join(modules, name, 'package.json')),
  )
    ? null
    : 'the Firebase emulators are not installed; do this one thing: sh scripts/setup.sh --for-tests'
