import type { Summary } from './compare.ts'

/** Flat names and numbers, so that a machine finds a figure without knowing the shape; what could not be measured says why. */
export interface Figures {
  readonly values: Readonly<Record<string, number>>
  readonly omitted: Readonly<Record<string, string>>
}

/** Goals of the figures: `most` or `least`. */
export const goals: Readonly<Record<string, { readonly most?: number; readonly least?: number }>> = {
  'local.python.one_liner.vs_plain_python': { most: 0.5 },
  'local.python.one_liner.vs_bubblewrap': { most: 0.35 },
  'local.python.pandas.vs_plain_python': { most: 0.1 },
  'local.python.chart.vs_plain_python': { most: 0.2 },
  'local.typescript.one_liner.vs_plain_node': { most: 0.1 },
  'local.memory.tenants_200_vs_1': { most: 1.15 },
  'api.run.vs_port.p50': { most: 1.3 },
  'api.throughput.vs_port': { least: 0.85 },
  'signup.first_result.vs_run': { most: 4 },
  'lambda.run.vs_raw_invoke.p50': { most: 2 },
  'lambda.throughput.vs_raw_invoke': { least: 0.6 },
  'lambda.signup.spare.vs_run': { most: 4 },
  'lambda.provision.1000.pacer_utilisation': { least: 0.9 },
  'lambda.provision.1000.never_above_budget': { least: 1 },
  'rollout.5500.vs_limit': { most: 1.05 },
  'rollout.rejected_share': { most: 0.01 },
  'rollout.50000.memory_vs_5500': { most: 1.5 },
  'identity.verify.share_of_run': { most: 0.05 },
  'identity.verify_always.share_of_run': { most: 0.05 },
  'identity.reconcile.vs_bare_creates': { most: 1.5 },
  'identity.reconcile.existing_vs_new': { most: 0.25 },
  'identity.reconcile.memory_10000_vs_1000': { most: 1.2 },
  'identity.reconcile.memory_100000_vs_1000': { most: 1.2 },
}

const round = (value: number): number => Number(value.toPrecision(4))

/** `<name>.p50_ms`, `.p99_ms` and `.n` of one variant. */
export const timesOf = (name: string, summary: Summary): Record<string, number> => ({
  [`${name}.p50_ms`]: round(summary.p50),
  [`${name}.p99_ms`]: round(summary.p99),
  [`${name}.n`]: summary.n,
})

export const ratio = (part: number, whole: number): number => round(part / whole)

export const merge = (all: readonly Figures[]): Figures => ({
  values: Object.assign({}, ...all.map((figures) => figures.values)) as Record<string, number>,
  omitted: Object.assign({}, ...all.map((figures) => figures.omitted)) as Record<string, string>,
})

/** Null for a figure without a goal. */
export const meetsGoal = (name: string, value: number): boolean | null => {
  const goal = goals[name]
  if (goal === undefined) return null
  return value <= (goal.most ?? Infinity) && value >= (goal.least ?? -Infinity)
}
