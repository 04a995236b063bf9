import { settingGroups } from './environment.ts'
import { settingOf } from './setting.ts'

const titles: Readonly<Record<keyof typeof settingGroups, string>> = {
  server: 'Server',
  identity: 'Who may call',
  tenants: 'Tenants and their berths',
  runs: 'Limits of a run',
  local: 'The local backend',
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

${sections.join('\n')}`
}
