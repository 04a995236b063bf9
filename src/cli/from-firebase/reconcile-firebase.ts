import type { Clock } from '../../domain/ports/clock.ts'
import { bringIn } from './bring-in.ts'
import { findGone } from './find-gone.ts'
import type { FirebaseUsers } from './firebase-users.ts'
import { createPace } from './pace.ts'
import { createPatientTenants, type ReconciledTenants } from './patient-tenants.ts'
import { createReport, type FirebaseReconciliation } from './report.ts'
import type { ReconcileFirebaseOptions, Walk } from './walk.ts'

interface Deps {
  readonly tenants: ReconciledTenants
  readonly users: FirebaseUsers
  readonly clock: Clock
}

export interface Reconciled {
  readonly report: FirebaseReconciliation
  /** Why it stopped before its end, `{ error }`; the report is of what was done until then. */
  readonly stopped: { readonly error: unknown } | null
}

/** Idempotent: started again it goes on where it stopped. One page and one batch are held at a time. */
export const reconcileFirebase = async (
  { tenants, users, clock }: Deps,
  options: ReconcileFirebaseOptions,
): Promise<Reconciled> => {
  const patient = createPatientTenants(tenants, { clock, onWait: options.onProgress })
  const report = createReport(options.apply)
  const walk: Walk = {
    options,
    users,
    tenants: { ...patient, list: tenants.list },
    turn: createPace(options.perMinute, clock),
    report,
    witnesses: new Map(),
  }
  try {
    for (const identityTenant of options.identityTenants) await bringIn(walk, identityTenant)
    // Only now: a listing that broke off has thrown, and nobody is looked at as gone.
    await findGone(walk)
    return { report, stopped: null }
  } catch (error) {
    return { report, stopped: { error } }
  }
}
