import { whatIsMissing } from '../../scripts/aws-local/paths.ts'
import { whyNoTerminal } from '../cli/on-terminal.ts'
import { whyNoEmulators } from '../firebase/emulator-paths.ts'
import { postgresMissing } from './postgres.ts'

/** A test that bears the tag is skipped where this machine lacks what it needs, and the report says why. */
export const needOf = (name: string, whyNot: string | null) => ({
  name,
  ...(whyNot !== null && { skip: true, meta: { whySkipped: whyNot } }),
})

/** Why AWS cannot be on this machine; null where it can. */
export const whyNotAwsLocal = (): string | null => whatIsMissing()

/** `// @module-tag aws-local` in a test file, or `{ tags: ['aws-local'] }` of tests that belong together. */
export const needs = [
  needOf('aws-local', whyNotAwsLocal()),
  needOf('firebase-emulators', whyNoEmulators()),
  needOf('postgres', postgresMissing()),
  needOf('terminal', whyNoTerminal()),
]
