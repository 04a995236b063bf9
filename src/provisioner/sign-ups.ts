import { BerthError, isBerthError } from '../domain/errors.ts'
import type { ExternalId, Tenant } from '../domain/tenant.ts'
import type { HookEvent, SignUp } from '../domain/ports/store.ts'
import type { RoomWatch } from './room-watch.ts'
import { createSignUpRate } from './sign-up-rate.ts'
import type { ProvisionerDeps, ProvisionerOptions, TenantReference } from './provisioner.ts'

export interface SignUpOptions {
  /** An operator asked for it: no rate holds it back. @default false */
  readonly byOperator?: boolean
}

export interface SignUps {
  readonly signUp: (externalId: ExternalId, event: HookEvent | null, options?: SignUpOptions) => Promise<SignUp>
  readonly requestDeletion: (who: TenantReference, event: HookEvent | null) => Promise<Tenant>
}

const quiet = new AbortController().signal

/** Who was given a spare runs code next. To make another one, and to record the owner, lets that go first. */
const AFTER_SPARE_MS = 250

interface Around {
  readonly onWork: () => void
  readonly room: Pick<RoomWatch, 'check'>
}

/** The two promises that are durable before they are answered. `onWork` is called when there is something to do behind them. */
export const createSignUps = (
  deps: Pick<ProvisionerDeps, 'store' | 'berths' | 'clock' | 'ids' | 'events'>,
  options: Required<Pick<ProvisionerOptions, 'pickCell' | 'maxBerths' | 'maxBerthsPerProject' | 'signUpsPerMinute'>>,
  { onWork, room }: Around,
): SignUps => {
  const admitted = createAdmission(deps, options.signUpsPerMinute)
  const record = createRecord(deps, options)
  return {
    signUp: async (externalId, event, { byOperator = false } = {}) => {
      const signUp = await (
        byOperator ? record(externalId, event) : admitted(externalId, () => record(externalId, event))
      ).catch((error: unknown) => {
        if (!isBerthError(error) || !REFUSALS.has(error.code)) throw error
        deps.events.emit({
          code: 'tenant.sign_up_refused',
          level: 'warn',
          detail: { reason: error.code, limit: limitOf(error) },
        })
        room.check()
        throw error
      })
      if (signUp.outcome === 'created') {
        deps.events.emit({
          code: 'tenant.signed_up',
          level: 'info',
          tenantId: signUp.tenant.id,
          berthId: signUp.berth?.id,
          detail: { spare: signUp.berth?.state === 'ready', hook: event !== null },
        })
        room.check()
      }
      if (signUp.berth?.state === 'ready') void deps.clock.sleep(AFTER_SPARE_MS, quiet).then(onWork)
      else if (signUp.outcome !== 'tombstone') onWork()
      return signUp
    },
    requestDeletion: async (who, event) => {
      const tenant = await deps.store.tenants.requestDeletion({
        externalId: who,
        event,
        newTenantId: deps.ids.tenantId(),
        now: deps.clock.now(),
      })
      deps.events.emit({
        code: 'tenant.deletion_requested',
        level: 'info',
        tenantId: tenant.id,
        detail: { state: tenant.state },
      })
      onWork()
      return tenant
    },
  }
}

const REFUSALS: ReadonlySet<string> = new Set(['berth_cap_reached', 'rate_limited'])

/** The setting that an operator may raise: the alarm must say which, for nobody reads what the caller was answered. */
const limitOf = ({ data: { limit } }: BerthError): string | null => (typeof limit === 'string' ? limit : null)

type RecordSignUp = (externalId: ExternalId, event: HookEvent | null) => Promise<SignUp>

/** Only new tenants count: one that is there is let through however many came. */
const createAdmission = ({ store, clock }: Pick<ProvisionerDeps, 'store' | 'clock'>, perMinute: number) => {
  const rate = createSignUpRate(clock, perMinute)
  return async (externalId: ExternalId, signUp: () => Promise<SignUp>): Promise<SignUp> => {
    const place = rate.take(externalId.project)
    if (place === null) {
      const known = await store.tenants.findByExternalId(externalId)
      return known === null ? rate.refuse(externalId.project) : signUp()
    }
    let made = false
    try {
      const answer = await signUp()
      made = answer.outcome === 'created'
      return answer
    } finally {
      if (!made) place.giveBack()
    }
  }
}

const createRecord = (
  deps: Pick<ProvisionerDeps, 'store' | 'berths' | 'clock' | 'ids'>,
  options: Required<Pick<ProvisionerOptions, 'pickCell' | 'maxBerths' | 'maxBerthsPerProject'>>,
): RecordSignUp => {
  return async (externalId, event) => {
    const cell = await options.pickCell({ purpose: 'signUp' })
    return deps.store.tenants
      .signUp({
        externalId,
        event,
        newTenantId: deps.ids.tenantId(),
        newBerthId: deps.ids.berthId(),
        backend: deps.berths.backend,
        // A tenant that has a berth needs no room, so that there is none is the store's to say.
        cell: cell ?? '',
        maxBerths: cell === null ? 0 : options.maxBerths,
        maxBerthsPerProject: options.maxBerthsPerProject,
        now: deps.clock.now(),
      })
      .catch((error: unknown) => {
        throw cell === null ? noRoom(error) : error
      })
  }
}

const noRoom = (error: unknown): unknown =>
  isBerthError(error) && error.code === 'berth_cap_reached'
    ? new BerthError('berth_cap_reached', 'No cell has room for another berth', {
        cause: error,
        retryAfterSeconds: 60,
        data: { limit: 'BERTH_CELLS' },
      })
    : error
