import { appendFile } from 'node:fs/promises'
import type { RolloutOutcome } from '../main/deployment/open-rollout.ts'

/** A cell of a Markdown table takes no line break and no bar. */
const cell = (text: string): string =>
  text
    .replaceAll(/[\r\n]+/g, ' ')
    .replaceAll('|', '\\|')
    .replaceAll('<', '&lt;')

const SHOWN = 50

/** What GitHub shows below a job; nothing outside of one. */
export const writeJobSummary = async (report: RolloutOutcome, place: string, env: NodeJS.ProcessEnv): Promise<void> => {
  const file = env['GITHUB_STEP_SUMMARY']
  if (file !== undefined && file !== '') await appendFile(file, `${summaryOf(report, place).join('\n')}\n`)
}

const summaryOf = (report: RolloutOutcome, place: string): readonly string[] => {
  const { state, reason, target, failed, pinned } = report
  return [
    `### Rollout of version ${target.version} to ${cell(place)}: ${state.replaceAll('_', ' ')}`,
    ...(reason === null ? [] : ['', `> ${cell(reason)}`]),
    '',
    '| berths | updated | failed | pinned | deleted meanwhile |',
    '|---:|---:|---:|---:|---:|',
    `| ${report.berths} | ${report.updated} | ${failed.length} | ${pinned.length} | ${report.gone} |`,
    '',
    '| image | berths |',
    '|---|---:|',
    ...Object.entries(report.images).map(([image, berths]) => `| \`${cell(image)}\` | ${berths} |`),
    ...laggards('failed', failed),
    ...laggards('pinned', pinned),
  ]
}

const laggards = (title: string, ones: readonly { berthId: string; reason: string }[]): readonly string[] =>
  ones.length === 0
    ? []
    : [
        '',
        `| ${title} | reason |`,
        '|---|---|',
        ...ones.slice(0, SHOWN).map(({ berthId, reason }) => `| ${berthId} | ${cell(reason)} |`),
        ...(ones.length > SHOWN ? [`| and ${ones.length - SHOWN} more | |`] : []),
      ]
