/** How many of the names that differ are told; all are counted. */
const TOLD = 100

export interface FirebaseReconciliation {
  readonly applied: boolean
  /** Looked at. */
  users: number
  existing: number
  /** Deleted in Berth: they stay so. */
  tombstones: number
  missing: number
  created: number
  /** Have no tenant and get none, each for one reason. */
  readonly leftOut: {
    anonymous: number
    /** May not sign in. */
    disabled: number
    /** BERTH_PROVISION_ON leaves them for their first run. */
    deferred: number
    /** No external id that Berth takes. */
    unfit: number
  }
  /** Known to Berth and no longer to Firebase. */
  gone: number
  deleted: number
  /** The first hundred that are missing or gone. */
  readonly told: {
    readonly kind: 'missing' | 'gone' | 'unfit'
    readonly identityTenant: string
    readonly uid: string
  }[]
}

export const createReport = (applied: boolean): FirebaseReconciliation => ({
  applied,
  users: 0,
  existing: 0,
  tombstones: 0,
  missing: 0,
  created: 0,
  leftOut: { anonymous: 0, disabled: 0, deferred: 0, unfit: 0 },
  gone: 0,
  deleted: 0,
  told: [],
})

export const tell = (report: FirebaseReconciliation, entry: FirebaseReconciliation['told'][number]): void => {
  if (report.told.length < TOLD) report.told.push(entry)
}
