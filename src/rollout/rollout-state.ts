export type RolloutState =
  | 'planning'
  | 'updating'
  | 'checking'
  | 'sweeping'
  | 'rolling_back'
  | 'planned'
  | 'done'
  | 'some_failed'
  | 'held'
  | 'superseded'
  | 'halted'
  | 'rolled_back'

export type RolloutEventKind =
  | 'waves_planned'
  | 'only_planned'
  | 'wave_updated'
  | 'healthy'
  | 'last_wave_healthy'
  | 'unhealthy'
  | 'held'
  | 'superseded'
  | 'found_more'
  | 'nothing_left'
  | 'failures_left'
  | 'roll_back'

const stops = { held: 'held', superseded: 'superseded' } as const

const table: Readonly<Record<RolloutState, Partial<Record<RolloutEventKind, RolloutState>>>> = {
  planning: { waves_planned: 'updating', only_planned: 'planned', roll_back: 'rolling_back', ...stops },
  updating: { wave_updated: 'checking', unhealthy: 'halted', ...stops },
  checking: { healthy: 'updating', last_wave_healthy: 'sweeping', unhealthy: 'halted', ...stops },
  sweeping: {
    found_more: 'sweeping',
    nothing_left: 'done',
    failures_left: 'some_failed',
    ...stops,
  },
  halted: {},
  rolling_back: {
    found_more: 'rolling_back',
    nothing_left: 'rolled_back',
    failures_left: 'some_failed',
    superseded: 'superseded',
  },
  planned: {},
  done: {},
  some_failed: {},
  held: {},
  superseded: {},
  rolled_back: {},
}

/**
 * planning → (updating → checking) for each wave → sweeping → done | some_failed; an unhealthy wave leads to halted. The way back is
 * planning → rolling_back → rolled_back | some_failed. Held and superseded end it anywhere. Null when the event means nothing here.
 */
export const nextRolloutState = (state: RolloutState, event: RolloutEventKind): RolloutState | null =>
  table[state][event] ?? null
