import { z } from 'zod'

/** What the documentation says of one variable. Lives in the schema's metadata, so that both cannot drift apart. */
export interface SettingMeta {
  readonly reason: string
  readonly expected: string
  readonly defaultText: string
  /** Its value is never repeated in an error. */
  readonly secret?: boolean
}

const registry = z.registry<SettingMeta>()

export const settingOf = (schema: z.ZodType): SettingMeta => {
  const meta = registry.get(schema)
  if (meta === undefined) throw new TypeError('a setting was made without its documentation')
  return meta
}

const described = <T extends z.ZodType>(schema: T, meta: SettingMeta): T => {
  registry.add(schema, meta)
  return schema
}

const inWords = (value: number): string => String(value).replaceAll(/\B(?=(\d{3})+$)/g, ',')

export interface NumberSetting {
  readonly default: number
  readonly min: number
  readonly max: number
  readonly reason: string
}

/** A whole number, written in digits. */
export const wholeNumber = ({ default: fallback, min, max, reason }: NumberSetting) => {
  const expected = `whole number from ${inWords(min)} to ${inWords(max)}`
  const schema = z
    .string()
    .regex(/^\d{1,15}$/, expected)
    .transform(Number)
    .pipe(z.int().min(min, expected).max(max, expected))
    .default(fallback)
  return described(schema, { reason, expected, defaultText: String(fallback) })
}

/** 1 or 0. */
export const onOff = (reason: string) =>
  described(
    z
      .enum(['0', '1'], 'expected 1 or 0')
      .transform((text) => text === '1')
      .default(false),
    { reason, expected: '1 or 0', defaultText: '0' },
  )

export const oneOf = <const T extends readonly [string, ...string[]]>(words: T, fallback: T[number], reason: string) =>
  described(z.enum(words, `expected one of ${words.join(', ')}`).default(fallback as never), {
    reason,
    expected: words.join(', '),
    defaultText: fallback,
  })

/** Text with a default. */
export const text = (fallback: string, expected: string, reason: string) =>
  described(z.string().min(1, `expected ${expected}`).default(fallback), { reason, expected, defaultText: fallback })

export interface ParsedSetting<T> {
  readonly expected: string
  readonly reason: string
  readonly secret?: boolean
  /** Used when the variable is not set. */
  readonly absent: T
  /** What the documentation says of `absent`. */
  readonly absentText: string
  /** Null when the text is not what is expected; a string names what is wrong with it. */
  readonly parse: (text: string) => { readonly value: T } | string
}

/** Text that is parsed into something else. */
export const parsedText = <T>({ expected, reason, absent, absentText, secret, parse }: ParsedSetting<T>) =>
  described(
    z
      .string()
      .transform((text, context): T => {
        const parsed = parse(text)
        if (typeof parsed !== 'string') return parsed.value
        context.addIssue({ code: 'custom', message: parsed })
        return z.NEVER
      })
      .optional()
      .transform((value): T => (value === undefined ? absent : value)),
    { reason, expected, defaultText: absentText, ...(secret === true && { secret }) },
  )
