import { backoffMs, fractionOf } from '../domain/backoff.ts'
import { nextBerthState } from '../domain/berth-transitions.ts'
import { BerthError, isBerthError } from '../domain/errors.ts'
import type { TenantId } from '../domain/ids.ts'
import type { LeasedBerth } from '../domain/ports/store.ts'
import type { Berth } from '../domain/tenant.ts'
import { assertMayDestroy } from './move.ts'
import type { ProvisionerDeps } from './provisioner.ts'

export interface AttemptDeps extends ProvisionerDeps {
  readonly owner: string
  readonly moveGraceMs: number
  /** The tenant has another berth from now on. */
  readonly onMoved: (tenantId: TenantId) => void
  /** Something will be due again after this time. */
  readonly retryIn: (ms: number) => void
}

interface Attempt {
  readonly berth: LeasedBerth
  /** Aborted when the server stops or the lease is lost. */
  readonly signal: AbortSignal
}

type Settings = Readonly<Record<'maxAttempts' | 'attemptTimeoutMs' | 'retryBaseMs' | 'retryMaxMs', number>>

/** Brings one leased berth to its next state, or says why not and when to try again. */
export const attempt = async (deps: AttemptDeps, settings: Settings, { berth, signal }: Attempt): Promise<void> => {
  const startedMs = deps.clock.monotonicMs()
  const step = berth.state === 'deprovisioning' ? destroy : make
  try {
    const outcome = await withDeadline(deps, { signal, timeoutMs: settings.attemptTimeoutMs }, (inner) =>
      step(deps, berth, inner),
    )
    await settle(deps, berth, outcome)
    if (outcome.kind === 'ready' && berth.move !== null) tellMove(deps, berth, berth.move.tenantId)
    if (outcome.kind === 'ready') await suspendIfTold(deps, berth, signal)
    const code = outcome.kind === 'ready' ? 'berth.ready' : 'berth.destroyed'
    emit(deps, berth, { code, level: 'info', detail: { durationMs: deps.clock.monotonicMs() - startedMs } })
  } catch (error) {
    if (signal.aborted) await handBack(deps, berth)
    else if (!(error instanceof LeaseLost)) await settleFailure(deps, settings, { berth, error })
  }
}

const tellMove = ({ onMoved, events }: AttemptDeps, { id: berthId }: LeasedBerth, tenantId: TenantId): void => {
  onMoved(tenantId)
  events.emit({ code: 'tenant.moved', level: 'info', tenantId, berthId })
}

type Outcome = Parameters<ProvisionerDeps['store']['berths']['settle']>[2]

const make = async (deps: AttemptDeps, berth: LeasedBerth, signal: AbortSignal): Promise<Outcome> => {
  await deps.berths.create(berth.id, { signal, waiting: berth.tenantId !== null })
  // It was lost while its tenant was suspended: what is left of it must work for the self-test. Runs are refused all the while.
  if (await isSuspended(deps, berth)) await deps.berths.resume(berth.id, { signal })
  const report = await deps.fleet.selfTest(berth.id, { signal })
  if (!report.passed) throw new BerthError('provisioning_failed', `self-test failed: ${failedChecks(report.checks)}`)
  const now = deps.clock.now()
  const retireAt = new Date(now.getTime() + deps.moveGraceMs)
  return { kind: 'ready', runnerVersion: report.runnerVersion, image: report.image, now, retireAt }
}

/** Whoever suspended the tenant found no ready berth. Reconcile does it when this fails. */
const suspendIfTold = async (deps: AttemptDeps, berth: LeasedBerth, signal: AbortSignal): Promise<void> => {
  try {
    if (await isSuspended(deps, berth)) await deps.berths.suspend(berth.id, { signal })
  } catch (error) {
    emit(deps, berth, { code: 'berth.not_suspended', level: 'error', error })
  }
}

const isSuspended = async ({ store }: AttemptDeps, { tenantId, move }: LeasedBerth): Promise<boolean> => {
  const whose = tenantId ?? move?.tenantId ?? null
  return whose !== null && (await store.tenants.find(whose))?.state === 'suspended'
}

const failedChecks = (checks: readonly { name: string; passed: boolean; detail: string }[]): string =>
  checks.flatMap(({ name, passed, detail }) => (passed ? [] : [`${name} (${detail})`])).join(', ')

const destroy = async (deps: AttemptDeps, berth: LeasedBerth, signal: AbortSignal): Promise<Outcome> => {
  await assertMayDestroy(deps, berth, signal)
  await recordDeletion(deps, berth, signal)
  const { deleted, verifiedAbsent } = await deps.berths.destroy(berth.id, { signal })
  return { kind: 'deleted', report: { deleted: [...deleted], verifiedAbsent: [...verifiedAbsent] } }
}

/** It was promised: should the store be lost now, whoever finds what is left of the berth goes on. */
const recordDeletion = async ({ store, berths }: AttemptDeps, { id }: LeasedBerth, signal: AbortSignal) => {
  const owner = await store.owners.find(id)
  if (owner?.state === 'deprovisioning') await berths.owners.record(owner, { signal })
}

class LeaseLost extends Error {}

const settle = async (deps: AttemptDeps, berth: LeasedBerth, outcome: Outcome): Promise<void> => {
  if (await deps.store.berths.settle(berth.id, deps.owner, outcome)) return
  emit(deps, berth, { code: 'berth.lease_lost', level: 'warn' })
  // Whoever destroyed it meanwhile may have looked before we made it: nothing may stay that nobody owns.
  const row = outcome.kind === 'ready' ? await deps.store.berths.find(berth.id) : berth
  if (row === null || row.state === 'deleted')
    await deps.berths.destroy(berth.id, { signal: new AbortController().signal })
  throw new LeaseLost('the lease was lost')
}

const settleFailure = async (
  deps: AttemptDeps,
  settings: Settings,
  { berth, error }: { berth: LeasedBerth; error: unknown },
): Promise<void> => {
  const reason = reasonOf(error)
  // A deletion is a promise: it is tried until it succeeds.
  const gaveUp = nextBerthState(berth.state, 'gave_up') === 'failed' && berth.attempts >= settings.maxAttempts
  const exhausted = berth.attempts >= settings.maxAttempts
  const detail = { attempt: berth.attempts, reason }
  if (gaveUp) {
    await deps.store.berths.settle(berth.id, deps.owner, { kind: 'failed', error: reason })
    emit(deps, berth, { code: 'berth.failed', level: 'error', detail, error })
    return
  }
  const fraction = fractionOf(deps.ids.secret())
  const { retryBaseMs: baseMs, retryMaxMs: maxMs } = settings
  const delayMs = backoffMs({ attempt: berth.attempts, baseMs, maxMs, fraction })
  const nextAttemptAt = new Date(deps.clock.now().getTime() + delayMs)
  await deps.store.berths.settle(berth.id, deps.owner, { kind: 'retry', error: reason, nextAttemptAt })
  emit(deps, berth, { code: 'berth.retry', level: exhausted ? 'error' : 'warn', detail: { ...detail, delayMs }, error })
  deps.retryIn(delayMs)
}

const handBack = async (deps: AttemptDeps, berth: LeasedBerth): Promise<void> => {
  await deps.store.berths.renew([berth.id], { owner: deps.owner, until: deps.clock.now() })
  emit(deps, berth, { code: 'berth.handed_back', level: 'info' })
}

const reasonOf = (error: unknown): string => {
  if (isBerthError(error)) return `${error.code}: ${error.message}`
  // The text of a system's error names a file, which may be the tenant's.
  if (error instanceof Error && 'syscall' in error && 'code' in error)
    return `${String(error.code)}: ${String(error.syscall)}`
  return error instanceof Error ? error.message : String(error)
}

/** A backend that ignores its signal still cannot hold a place for ever. */
const withDeadline = async <T>(
  deps: Pick<AttemptDeps, 'clock'>,
  { signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const ended = new AbortController()
  const late = new AbortController()
  const inner = AbortSignal.any([signal, late.signal])
  const aborted = new Promise<never>((_, reject) => {
    inner.addEventListener('abort', () => reject(inner.reason as Error), { once: true })
  })
  aborted.catch(() => undefined)
  void deps.clock.sleep(timeoutMs, ended.signal).then(
    () => late.abort(new BerthError('backend_unavailable', `expected an end within ${timeoutMs} ms, got none`)),
    () => undefined,
  )
  try {
    signal.throwIfAborted()
    return await Promise.race([work(inner), aborted])
  } finally {
    ended.abort()
  }
}

const emit = (
  deps: AttemptDeps,
  berth: Berth,
  event: Omit<Parameters<AttemptDeps['events']['emit']>[0], 'berthId' | 'tenantId'>,
): void => deps.events.emit({ ...event, berthId: berth.id, tenantId: berth.tenantId ?? undefined })
