import type { FirebaseUsers } from './firebase-users.ts'
import type { Turn } from './pace.ts'
import type { ReconciledTenants } from './patient-tenants.ts'
import type { FirebaseReconciliation } from './report.ts'

export interface ReconcileFirebaseOptions {
  readonly project: string
  /** An empty one stands for the project itself. */
  readonly identityTenants: readonly string[]
  readonly apply: boolean
  /** Bring in anonymous users too. */
  readonly anonymous: boolean
  /** Bring in users too whom BERTH_PROVISION_ON leaves for their first run. */
  readonly deferred: boolean
  readonly deleteGone: boolean
  /** Tenants that are made or deleted. */
  readonly perMinute: number
  readonly onProgress: (text: string) => void
  readonly signal: AbortSignal
}

/** One comparison while it goes on. */
export interface Walk {
  readonly options: ReconcileFirebaseOptions
  readonly users: FirebaseUsers
  readonly tenants: ReconciledTenants
  readonly turn: Turn
  readonly report: FirebaseReconciliation
  /** One user of each identity tenant whom Firebase listed and Berth had already. */
  readonly witnesses: Map<string, string>
}
