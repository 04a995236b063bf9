import { z } from 'zod'

/** Bytes of UTF-8 that a file name may have; 255 is what Linux file systems take. */
export const MAX_FILE_NAME_BYTES = 255

const problemOf = (name: string): string | null => {
  if (name.length === 0) return 'a file name may not be empty'
  if (Buffer.byteLength(name) > MAX_FILE_NAME_BYTES)
    return `a file name has at most ${MAX_FILE_NAME_BYTES} bytes of UTF-8`
  if (!name.isWellFormed()) return 'a file name must be well-formed Unicode'
  if (name !== name.normalize('NFC')) return 'a file name must be in Unicode normal form NFC'
  if (/[/\\]/.test(name)) return 'a file name has no "/" and no "\\"; files lie in one flat folder'
  // Control and format characters hide what a name really is in terminals and logs.
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(name)) return 'a file name has no control or invisible characters'
  if (name.startsWith('.')) return 'a file name does not start with "."'
  if (name !== name.trim()) return 'a file name neither starts nor ends with white space'
  if (name === 'outputs') return '"outputs" is the folder for artifacts'
  return null
}

/** A name of a tenant's file: flat, visible, portable, the same on disk and in S3. */
export const fileNameSchema = z.string().superRefine((name, context) => {
  const problem = problemOf(name)
  if (problem !== null) context.addIssue({ code: 'custom', message: `${problem}, got ${JSON.stringify(name)}` })
})
