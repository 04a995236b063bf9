import type { CommandSpec } from '../command.ts'
import { visible } from '../visible.ts'
import { reconcileFrom, reconcileFromOptions } from './reconcile-from.ts'

export const reconcileCommand: CommandSpec = {
  usage: 'reconcile',
  description: 'Compare what is meant to exist with what does exist. Changes nothing without --apply.',
  caller: 'operator',
  options: [
    ['--apply', 'close the gaps that were found'],
    ['--rebuild', 'the store was lost: make its rows again from what lies with the berths'],
    ['--deep', 'look at settings, rights and the record of the owner too; some 15 minutes for 2,000 berths on AWS'],
    ...reconcileFromOptions,
  ],
  examples: [
    'reconcile',
    'reconcile --apply --json',
    'reconcile --rebuild',
    'reconcile --rebuild --apply',
    'reconcile --from firebase --project example-app --apply',
  ],
  act: async (context) => {
    const { flags, connect, terminal, signal } = context
    if (flags['from'] !== undefined) return reconcileFrom(context)
    const apply = flags['apply'] === true
    const rebuild = flags['rebuild'] === true
    const berth = await connect()
    const progress = terminal.progress(apply ? 'comparing and mending' : 'comparing')
    const report = await berth
      .reconcile({ apply, rebuild, deep: flags['deep'] === true, signal })
      .finally(() => progress.stop())
    const { resources, rows, tenants, findings } = report
    terminal.answer(report, () => [
      `${resources} berths exist, ${rows} are meant to, ${tenants} tenants; gaps: ${findings.length}`,
      ...(findings.length === 0 ? [] : terminal.table(columns, findings.map(cellsOf))),
      ...hintsOf(report, rebuild),
    ])
    return findings.some(({ error }) => error !== null) ? 1 : 0
  },
}

const hintsOf = (
  { applied, findings }: { readonly applied: boolean; readonly findings: readonly { readonly kind: string }[] },
  rebuild: boolean,
): readonly string[] => {
  const lost = findings.filter(({ kind }) => kind === 'lost_row').length
  return [
    ...(applied || findings.length === 0
      ? []
      : [`nothing was changed; mend it with: berth reconcile ${rebuild ? '--rebuild ' : ''}--apply`]),
    ...(rebuild || lost === 0
      ? []
      : [`${lost} berths of tenants have lost their rows; see: berth reconcile --rebuild`]),
  ]
}

const columns = [
  { title: 'GAP' },
  { title: 'BERTH' },
  { title: 'TENANT' },
  { title: 'ACTION' },
  { title: 'DONE' },
  { title: 'DETAIL' },
]

const cellsOf = (finding: {
  readonly kind: string
  readonly berthId: string | null
  readonly tenantId: string | null
  readonly action: string
  readonly done: boolean
  readonly error: string | null
  readonly detail?: string | undefined
}): readonly string[] => [
  finding.kind,
  finding.berthId ?? '-',
  finding.tenantId ?? '-',
  finding.action,
  finding.done ? 'yes' : 'no',
  visible(finding.error ?? finding.detail ?? '-'),
]
