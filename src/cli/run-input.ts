import { readFile, stat } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import { buffer as readBytes } from 'node:stream/consumers'
import { type Language, profileSchema, type RunRequestInput } from '../domain/run.ts'
import { type Flags, listFlag, numberFlag, textFlag, usageError } from './command.ts'

/** What `berth run` is asked to run. `uploads` are files of this machine that must be there first. */
export interface RunInput {
  readonly request: RunRequestInput
  readonly uploads: readonly { readonly path: string; readonly name: string }[]
}

export const readRunInput = async (source: string, flags: Flags): Promise<RunInput> => {
  const files = await Promise.all(listFlag(flags, 'file').map(fileOf))
  const timeoutMs = numberFlag(flags, 'timeoutMs', '--timeout-ms')
  const memoryMiB = numberFlag(flags, 'memoryMib', '--memory-mib')
  const resultSchema = textFlag(flags, 'resultSchema')
  return {
    request: {
      language: languageOf(source, textFlag(flags, 'language')),
      code: await readSource(source),
      variables: await readVariables(flags),
      files: files.map(({ name }) => name),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(memoryMiB === undefined ? {} : { memoryMiB }),
      ...profileOf(textFlag(flags, 'profile')),
      ...(resultSchema === undefined ? {} : { resultSchema: await readObject('--result-schema', resultSchema) }),
    },
    uploads: files.filter(({ path }) => path !== null) as { path: string; name: string }[],
  }
}

const suffixes: Readonly<Record<string, Language>> = {
  '.py': 'python',
  '.ts': 'typescript',
  '.mts': 'typescript',
  '.js': 'typescript',
  '.mjs': 'typescript',
}

const languageOf = (source: string, asked: string | undefined): Language => {
  if (asked === 'python' || asked === 'typescript') return asked
  if (asked !== undefined)
    throw usageError(`--language: expected python or typescript, got ${JSON.stringify(asked)}`, 'Give one of the two.')
  const language = source === '-' ? 'python' : suffixes[extname(source).toLowerCase()]
  if (language === undefined)
    throw usageError(
      `the name ${JSON.stringify(source)} does not tell the language`,
      'Add --language python or --language typescript.',
    )
  return language
}

const profileOf = (asked: string | undefined): Pick<RunRequestInput, 'profile'> => {
  if (asked === undefined) return {}
  const { success, data } = profileSchema.safeParse(asked)
  if (success) return { profile: data }
  const expected = profileSchema.options.join(' or ')
  throw usageError(`--profile: expected ${expected}, got ${JSON.stringify(asked)}`, 'Give one of the two.')
}

const readSource = async (source: string): Promise<string> => {
  try {
    return utf8.decode(source === '-' ? await readBytes(process.stdin) : await readFile(source))
  } catch (error) {
    const why = codeOf(error) === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8' : codeOf(error)
    throw usageError(
      `${source} cannot be read: ${why}`,
      'Give the path of a file with code in UTF-8, or - for standard input.',
    )
  }
}

/** Anything else would be replaced without a word. */
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** A path that exists here is uploaded under its last part; anything else names a file that is there already. */
const fileOf = async (given: string): Promise<{ readonly path: string | null; readonly name: string }> => {
  const found = await stat(given).catch(() => null)
  if (found?.isFile() === true) return { path: given, name: basename(given) }
  if (given.includes('/')) throw usageError(`--file ${given}: there is no such file here`, 'Check the path.')
  return { path: null, name: given }
}

const readVariables = async (flags: Flags): Promise<NonNullable<RunRequestInput['variables']>> => {
  const path = textFlag(flags, 'variables')
  const fromFile = path === undefined ? {} : await readObject('--variables', path)
  const single = listFlag(flags, 'var').map((pair): [string, unknown] => {
    const at = pair.indexOf('=')
    if (at < 1)
      throw usageError(`--var: expected name=value, got ${JSON.stringify(pair)}`, 'Write it as --var year=2024.')
    return [pair.slice(0, at), jsonOrText(pair.slice(at + 1))]
  })
  return { ...fromFile, ...Object.fromEntries(single) } as NonNullable<RunRequestInput['variables']>
}

const readObject = async (flag: string, path: string): Promise<Record<string, unknown>> => {
  const wrong = (got: string) =>
    usageError(`${flag} ${path}: expected a JSON object, got ${got}`, 'Put one JSON object into the file.')
  const content = await readFile(path, 'utf8').catch((error: unknown) => {
    throw usageError(`${flag} ${path} cannot be read: ${codeOf(error)}`, 'Check the path.')
  })
  const value = jsonOrText(content)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(Array.isArray(value) ? 'a list' : typeof value)
  return value as Record<string, unknown>
}

const jsonOrText = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error)
