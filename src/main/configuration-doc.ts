import { settingGroups } from './environment.ts'
import { settingOf } from './setting.ts'

const titles: Readonly<Record<keyof typeof settingGroups, string>> = {
  server: 'Server',
  identity: 'Who may call',
  tenants: 'Tenants and their berths',
  runs: 'Limits of a run',
  local: 'The local backend',
  cells: 'Cells on AWS',
}

const cell = (text: string): string => text.replaceAll('|', '\\|')

const tableOf = (group: (typeof settingGroups)[keyof typeof settingGroups]): string =>
  [
    '| variable | value | default | why |',
    '|---|---|---|---|',
    ...Object.entries(group).map(([name, schema]) => {
      const { expected, defaultText, reason } = settingOf(schema)
      return `| \`${name}\` | ${cell(expected)} | ${cell(defaultText)} | ${cell(reason)} |`
    }),
  ].join('\n')

/** The text of docs/configuration.md. */
export const configurationDoc = (): string => {
  const sections = (Object.keys(titles) as (keyof typeof titles)[]).map(
    (name) => `## ${titles[name]}\n\n${tableOf(settingGroups[name])}\n`,
  )
  return `# Configuration

Generated from \`src/main/environment.ts\` by \`node scripts/generate-configuration-doc.ts\`; edit the schema, not this page.

Berth is configured by environment variables and nothing else. A value that is not valid, or a variable that starts with
\`BERTH_\` and is not listed here, stops the start with exit code 78 and says which variable, what was expected, and what
was got. An empty value counts as not set. Bytes are bytes of UTF-8; exactly at a limit passes, one over fails.

${sections.join('\n')}
${cellDoc}`
}

const cellRows: readonly (readonly [field: string, expected: string, fallback: string, why: string])[] = [
  [
    'name',
    'lower-case letters, digits, hyphens; 63 at most',
    'required',
    'As rows, logs and `berth doctor` show the cell. Never change it while it has berths.',
  ],
  ['region', 'an AWS Region', 'required', 'Where the functions are.'],
  [
    'deployment',
    'lower-case letters, digits, hyphens; 31 at most',
    '`berth`',
    'First part of every name there, so that two deployments can share an account. A role name has 64 characters at most.',
  ],
  [
    'roleArn',
    'ARN of an IAM role',
    "the server's own credentials",
    'Role to assume, output ServerRoleArn of the foundation: the only way into another account.',
  ],
  ['externalId', '2 to 1,224 characters', 'none', "External id that the role's trust asks for."],
  [
    'maxBerths',
    'whole number from 1 to 1,000,000',
    '1800',
    'Berths in this cell; a full cell is passed over. An account allows 2,000 stacks and 1,000 roles by default: `berth doctor` reads the real numbers (AWS CloudFormation and IAM quotas, checked 2026-11-22).',
  ],
  [
    'functions.memoryMiB',
    'whole number from 128 to 10,240 MiB',
    '1024',
    "Memory of a function; Lambda's own bounds. 1,769 MiB is one whole CPU (AWS Lambda quotas, checked 2026-11-22).",
  ],
  [
    'functions.timeoutSeconds',
    'whole number from 1 to 900 s',
    '120',
    "Time-out of a function; Lambda's own maximum. A run gets 10 s less, in which files are fetched and results stored.",
  ],
  [
    'functions.ephemeralStorageMiB',
    'whole number from 512 to 10,240 MiB',
    '1024',
    "/tmp of a function; Lambda's own bounds.",
  ],
  [
    'functions.logRetentionDays',
    '1, 3, 5, 7, 14, 30, 60, 90, … 3653 days',
    '30',
    'How long CloudWatch Logs keeps what the runner logs; only those values exist.',
  ],
  [
    'functions.reservedConcurrency',
    'whole number or null',
    'null',
    "Concurrency set aside for each function. AWS keeps 100 of an account's 1,000 unreserved, so with 1 each there is room for 900 berths until the quota is raised.",
  ],
  ['functions.architecture', 'x86_64, arm64', 'x86_64', 'What the image was built for.'],
]

const cellDoc = `### An entry of BERTH_CELLS

| field | value | default | why |
|---|---|---|---|
${cellRows.map(([field, expected, fallback, why]) => `| \`${field}\` | ${expected} | ${fallback} | ${why} |`).join('\n')}

Everything else (bucket, repository, roles, network) is read from the outputs of the stack \`<deployment>-foundation\`. The AWS SDK reads its own
variables: \`AWS_PROFILE\`, \`AWS_ACCESS_KEY_ID\` and its companions, \`AWS_ENDPOINT_URL\`. With cells, \`BERTH_MAX_TIMEOUT_MS\` and
\`BERTH_MAX_MEMORY_MIB\` are by default what the smallest functions allow: their time-out less 10 s, their memory less 256 MiB for the runner itself.
A value that is set and does not fit stops the start. \`BERTH_MAX_DISK_BYTES\` has to fit their /tmp, \`BERTH_SPARES\` the sum of \`maxBerths\`.
Changed functions settings reach berths that exist by \`berth upgrade --apply\`.
`
