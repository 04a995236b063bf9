import type { BerthId } from '../domain/ids.ts'
import { BerthError, isBerthError } from '../domain/errors.ts'
import type { RunnerImage, Wanted } from '../domain/wanted-image.ts'
import { assertNamed } from './assert-named.ts'
import { bringBerths } from './bring-berths.ts'
import { checkHealth, tooManyFailed } from './check-health.ts'
import { planWaves, type Wave } from './plan-waves.ts'
import type { RolloutDeps } from './rollout-deps.ts'
import type { RolloutReport } from './rollout-report.ts'
import { recentRuns } from './recent-runs.ts'
import { rollBack } from './roll-back.ts'
import { type RolloutOptions, RunningRollout, type Stop } from './running-rollout.ts'
import { watchPace } from './slow-image.ts'
import { sweep } from './sweep.ts'
import { recordFailures } from './update-failures.ts'
import { hold, isSame, promote, propose, rollBackTo, targetOf } from './wanted-changes.ts'

export interface ForwardOptions extends RolloutOptions {
  /** Null goes on with what is on its way. */
  readonly target: RunnerImage | null
  /** What to do about an unhealthy wave: wait for somebody, or go back at once. */
  readonly onUnhealthy: 'halt' | 'roll_back'
  /** Changes nothing. */
  readonly dryRun: boolean
}

/**
 * Brings the fleet to an image. New berths get it when the first waves have passed. Killed anywhere it can be started again, and two at once
 * do no harm. @throws {BerthError} conflict, config_invalid, backend_unavailable, not_found (a berth of the scope); the signal's reason
 */
export const runRollout = async (deps: RolloutDeps, options: ForwardOptions): Promise<RolloutReport> => {
  await assertNamed(deps, options)
  const wanted = await proposed(deps, options)
  const rollout = new RunningRollout(deps, options, wanted)
  const waves = await plan(rollout, wanted)
  if (options.dryRun) {
    rollout.move('only_planned')
    return rollout.report()
  }
  const stop =
    (await rollout.reasonToStop()) ??
    nowhereToTry(rollout, waves) ??
    (await passWaves(rollout, waves)) ??
    (await sweep(rollout))
  if (stop !== null) rollout.stop(stop)
  await recordFailures(rollout)
  if (stop === null) return rollout.report()
  return stop.kind === 'unhealthy' ? afterUnhealthy(rollout, options, stop) : rollout.report()
}

const proposed = async (deps: RolloutDeps, { target, dryRun, signal }: ForwardOptions): Promise<Wanted> => {
  const change = (present: Wanted | null): Wanted => {
    if (target !== null) return propose(present, target)
    if (present === null) throw new BerthError('conflict', 'no image is wanted yet; name one')
    return present
  }
  return dryRun ? change(await deps.wanted.read({ signal })) : deps.wanted.change(change, { signal })
}

const plan = async (rollout: RunningRollout, wanted: Wanted): Promise<readonly Wave[]> => {
  const { deps, signal, scope, settings, target } = rollout
  const [members, canaries, suspended] = await Promise.all([
    rollout.list(),
    deps.activity?.canaries({ signal }) ?? [],
    deps.activity?.suspended({ signal }) ?? [],
  ])
  const runs = await recentRuns(deps, members, signal)
  rollout.canaries = new Set(canaries)
  for (const berthId of suspended) rollout.suspended.add(berthId)
  // Before anybody is offered the target, the wanted image is what untouched berths have; afterwards it is the one before.
  const present = target.image === wanted.image ? (wanted.previous ?? wanted).image : wanted.image
  const waves = planWaves({
    members: members.filter(({ berthId }) => !rollout.isPinned(berthId)),
    target: target.image,
    present,
    canaries: rollout.canaries,
    suspended: rollout.suspended,
    lastAtMs: new Map(runs.map(({ berthId, lastAt }) => [berthId, lastAt.getTime()])),
    scope,
    settings,
  })
  for (const { name, members } of waves) rollout.waves.push({ name, berths: members.length })
  rollout.emit('rollout.waves', Object.fromEntries(waves.map(({ name, members }) => [name, members.length])))
  return waves
}

/** Otherwise new berths would get an image that nobody has examined. */
const nowhereToTry = ({ members, scope, target }: RunningRollout, waves: readonly Wave[]): Stop | null => {
  const isTried = waves.some((wave) => wave.members.length > 0) || members.some(({ image }) => image === target.image)
  if (scope.kind !== 'all' || members.length === 0 || isTried) return null
  return {
    kind: 'held',
    reason: `all ${members.length} berths are pinned, so the image can be tried in none; unpin one`,
  }
}

const passWaves = async (rollout: RunningRollout, waves: readonly Wave[]): Promise<Stop | null> => {
  rollout.move('waves_planned')
  for (const [index, wave] of waves.entries()) {
    const stop = await passWave(rollout, wave)
    if (stop !== null) return stop
    if (wave.name === 'ring' && rollout.scope.kind === 'all') await offerToAll(rollout)
    rollout.move(index === waves.length - 1 ? 'last_wave_healthy' : 'healthy')
  }
  return null
}

const offerToAll = async (rollout: RunningRollout): Promise<void> => {
  const { deps, target, signal } = rollout
  const change = (present: Wanted | null): Wanted => promote(present ?? { ...target, fence: 0 }, target)
  await rollout.retried(() => deps.wanted.change(change, { signal }))
  rollout.offeredMs = deps.clock.monotonicMs()
}

const CHECKS = 10

/** Updates what differs, then looks whether it is well. A large wave is looked at while it goes on, without waiting for that. */
const passWave = async (rollout: RunningRollout, wave: Wave): Promise<Stop | null> => {
  const { deps, settings, signal, target } = rollout
  const { name, members } = wave
  const isSlow = await watchPace(rollout, wave)
  const differing = members.filter(({ image }) => image !== target.image).length
  rollout.emit('rollout.wave', { wave: name, berths: members.length, differing })
  const watch = watchWave(
    rollout,
    members.map(({ berthId }) => berthId),
  )
  const stop = await bringBerths(rollout, {
    members: members.filter((member) => !rollout.isSure(member)),
    mayGoOn: watch.found,
    onBrought: watch.onBrought,
  })
  await watch.ended()
  if (stop !== null) return stop
  rollout.move('wave_updated')
  if (members.length === 0) return null
  if (name !== 'rest' && settings.watchMs > 0 && differing > 0) await deps.clock.sleep(settings.watchMs, signal)
  const brought = onTarget(rollout, members)
  return watch.found() ?? (await checkHealth(rollout, brought)) ?? isSlow(brought)
}

/** Those that were there already count too: another process may have been killed before its check. */
const onTarget = ({ updated, target }: RunningRollout, members: Wave['members']): readonly BerthId[] =>
  members.filter(({ berthId, image }) => image === target.image || updated.has(berthId)).map(({ berthId }) => berthId)

/** Failures count against the whole wave: one that is cut off and started again has few left to update, perhaps only a broken one. */
const watchWave = (rollout: RunningRollout, berthIds: readonly BerthId[]) => {
  let recent: BerthId[] = []
  let checking: Promise<void> | null = null
  let stop: Stop | null = null
  let failed: { readonly error: unknown } | null = null
  const every = Math.max(50, Math.ceil(berthIds.length / CHECKS))
  const check = async (sample: readonly BerthId[]): Promise<void> => {
    try {
      stop ??= await checkHealth(rollout, sample)
    } catch (error) {
      failed = { error }
    } finally {
      checking = null
    }
  }
  return {
    found: (): Stop | null => {
      stop ??= tooManyFailed(rollout, berthIds)
      return stop
    },
    onBrought: (berthId: BerthId): void => {
      recent.push(berthId)
      if (recent.length < every || checking !== null) return
      checking = check(recent)
      recent = []
    },
    ended: async (): Promise<void> => {
      await checking
      if (failed !== null) throw failed.error
    },
  }
}

const afterUnhealthy = async (rollout: RunningRollout, options: ForwardOptions, stop: Stop): Promise<RolloutReport> => {
  const { deps, target } = rollout
  const isOurs = (wanted: Wanted | null): wanted is Wanted => wanted !== null && isSame(targetOf(wanted), target)
  const heldHere = (present: Wanted | null): Wanted => {
    if (isOurs(present)) return hold(present, stop.reason)
    return present ?? { ...target, fence: 0 }
  }
  // Others who work on the same image stop too.
  const wanted = await rollout.retried(() => deps.wanted.change(heldHere, options))
  const hasBack = wanted.candidate !== undefined || wanted.previous !== undefined
  if (options.onUnhealthy === 'halt' || !isOurs(wanted) || !hasBack) return rollout.report()
  const barred = whyNoWayBack(wanted)
  if (barred !== null) return { ...rollout.report(), reason: `${stop.reason}; not rolled back: ${barred}` }
  return { ...(await rollout.retried(() => rollBack(deps, options))), reason: stop.reason }
}

/** A fence that was raised meanwhile may bar it. What the image did must be told all the same. */
const whyNoWayBack = (wanted: Wanted): string | null => {
  try {
    rollBackTo(wanted)
    return null
  } catch (error) {
    if (isBerthError(error)) return error.message
    throw error
  }
}
