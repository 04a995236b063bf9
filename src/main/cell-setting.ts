import { z } from 'zod'
import { defaultFunctionSettings } from '../aws/cell.ts'

const whole = (min: number, max: number, fallback: number) => {
  const expected = `expected a whole number from ${min} to ${max}`
  return z.int(expected).min(min, expected).max(max, expected).default(fallback)
}

/** What CloudWatch Logs takes (AWS::Logs::LogGroup RetentionInDays, checked 2026-11-22). */
const RETENTIONS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
]

/** Bounds are Lambda's own (AWS Lambda quotas, checked 2026-11-22). */
const functionsSchema = z.strictObject({
  memoryMiB: whole(128, 10_240, defaultFunctionSettings.memoryMiB),
  timeoutSeconds: whole(1, 900, defaultFunctionSettings.timeoutSeconds),
  ephemeralStorageMiB: whole(512, 10_240, defaultFunctionSettings.ephemeralStorageMiB),
  logRetentionDays: z
    .int()
    .refine((days) => RETENTIONS.includes(days), `expected one of ${RETENTIONS.join(', ')}`)
    .default(defaultFunctionSettings.logRetentionDays),
  reservedConcurrency: z
    .int('expected a whole number or null')
    .min(0, 'expected a whole number or null')
    .nullable()
    .default(defaultFunctionSettings.reservedConcurrency),
  architecture: z.enum(['x86_64', 'arm64'], 'expected x86_64 or arm64').default(defaultFunctionSettings.architecture),
})

const named = (pattern: RegExp, expected: string) => z.string(expected).regex(pattern, expected)

export const cellSettingSchema = z.strictObject({
  name: named(
    /^[a-z][a-z0-9-]{0,62}$/,
    'expected lower-case letters, digits and hyphens, beginning with a letter, 63 at most',
  ),
  region: named(/^[a-z]{2}(-[a-z]+)+-\d$/, 'expected a Region, for example eu-west-1'),
  deployment: named(
    /^[a-z][a-z0-9-]{0,30}$/,
    'expected lower-case letters, digits and hyphens, beginning with a letter, 31 at most',
  ).default('berth'),
  roleArn: named(/^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/, 'expected the ARN of an IAM role').optional(),
  externalId: named(/^[\w+=,.@:/-]{2,1224}$/, 'expected 2 to 1,224 of A-Z a-z 0-9 _ + = , . @ : / -').optional(),
  maxBerths: whole(1, 1_000_000, 1800),
  functions: functionsSchema.prefault({}),
})

/** One entry of BERTH_CELLS. */
export type CellSetting = z.output<typeof cellSettingSchema>

export const CELL_SHAPE = '{name, region, deployment?, roleArn?, externalId?, maxBerths?, functions?}'

/** The cells, or a text that says what is wrong with them. */
export const parseCells = (json: string): { readonly value: readonly CellSetting[] } | string => {
  let list: unknown
  try {
    list = JSON.parse(json)
  } catch {
    return `expected a JSON list of ${CELL_SHAPE}`
  }
  const parsed = z.array(cellSettingSchema).min(1, 'expected at least one cell').max(64).safeParse(list)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return `expected a list of ${CELL_SHAPE}; at ${issue?.path.join('.') || 'the top'}: ${issue?.message}`
  }
  const twice = firstTwice(parsed.data.map(({ name }) => name)) ?? firstTwice(parsed.data.map(placeText))
  return twice === null ? { value: parsed.data } : `expected every cell once; twice there is ${twice}`
}

const placeText = ({ region, deployment, roleArn = 'the own account' }: CellSetting): string =>
  `deployment ${deployment} in ${region} of ${roleArn}`

const firstTwice = (texts: readonly string[]): string | null =>
  texts.find((text, index) => texts.indexOf(text) !== index) ?? null
