import { type ErrorCategory, type ErrorEntry, errorTable } from '../../src/domain/error-table.ts'

const categories: Readonly<Record<ErrorCategory, string>> = {
  caller: 'The request is at fault. Sending it again unchanged does not help.',
  user: "The tenant's code is at fault. The HTTP status is 200: the platform did its job, and `error` names the line.",
  limit: 'A limit was reached. What was captured until then comes back with it.',
  policy: 'A rule of the operator forbids it.',
  platform: 'Berth, or something it stands on, is at fault.',
}

const renderEntry = ([code, entry]: [string, ErrorEntry]): string => {
  const where = entry.status === 200 ? 'inside a run, as `failure`' : `HTTP ${entry.status}`
  return `### \`${code}\`\n\n${entry.title}. ${where}, ${entry.retryable ? 'may succeed later unchanged' : 'not retryable'}.\n\n**Remedy:** ${entry.remedy}\n`
}

/** docs/errors.md, from the one table of errors. */
export const renderErrorsDoc = (): string => {
  const sections = Object.entries(categories).map(([category, meaning]) => {
    const entries = Object.entries(errorTable).filter(([, entry]) => entry.category === category)
    return `## ${category}\n\n${meaning}\n\n${entries.map(renderEntry).join('\n')}`
  })
  return `# Errors

Every error that Berth answers with, from the table in \`src/domain/error-table.ts\` (written by \`npm run docs\`; a test compares the two).

An answer that is an error is \`application/problem+json\` (RFC 9457) with \`code\`, \`category\`, \`retryable\`, \`remedy\` and \`requestId\`;
\`errors\` lists the fields at fault. Codes are the contract, texts are not. How a tenant's code ended is never an HTTP error: the run has
\`status\`, \`error\` (what the code raised) and \`failure\` (\`code\`, \`category\`, \`retryable\`, \`remedy\`, \`detail\`).

${sections.join('\n')}`
}
