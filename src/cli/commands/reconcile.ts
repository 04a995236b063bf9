import type { CommandSpec } from '../command.ts'
import { visible } from '../visible.ts'

export const reconcileCommand: CommandSpec = {
  usage: 'reconcile',
  description: 'Compare what is meant to exist with what does exist. Changes nothing without --apply.',
  caller: 'operator',
  options: [['--apply', 'close the gaps that were found']],
  examples: ['reconcile', 'reconcile --apply --json'],
  act: async ({ flags, connect, terminal, signal }) => {
    const apply = flags['apply'] === true
    const berth = await connect()
    const progress = terminal.progress(apply ? 'comparing and mending' : 'comparing')
    const report = await berth.reconcile({ apply, signal }).finally(() => progress.stop())
    const { resources, rows, tenants, findings } = report
    terminal.answer(report, () => [
      `${resources} berths exist, ${rows} are meant to, ${tenants} tenants; ${findings.length} gaps`,
      ...(findings.length === 0 ? [] : terminal.table(columns, findings.map(cellsOf))),
      ...(apply || findings.length === 0 ? [] : ['nothing was changed; mend it with: berth reconcile --apply']),
    ])
    return findings.some(({ error }) => error !== null) ? 1 : 0
  },
}

const columns = [
  { title: 'GAP' },
  { title: 'BERTH' },
  { title: 'TENANT' },
  { title: 'ACTION' },
  { title: 'DONE' },
  { title: 'ERROR' },
]

const cellsOf = (finding: {
  readonly kind: string
  readonly berthId: string | null
  readonly tenantId: string | null
  readonly action: string
  readonly done: boolean
  readonly error: string | null
}): readonly string[] => [
  finding.kind,
  finding.berthId ?? '-',
  finding.tenantId ?? '-',
  finding.action,
  finding.done ? 'yes' : 'no',
  visible(finding.error ?? '-'),
]
