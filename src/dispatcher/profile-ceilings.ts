import type { RunLimits } from '../domain/limits.ts'
import type { Profile } from '../domain/run.ts'

/** What a profile allows at most, whatever the server allows. */
export interface ProfileCeilings {
  readonly timeoutMs: number
  readonly memoryMiB: number
  readonly takesFiles: boolean
  /** Limits that hold for every run of the profile. */
  readonly limits: Partial<RunLimits>
}

export const profileCeilings: Readonly<Record<Profile, ProfileCeilings>> = {
  default: { timeoutMs: Infinity, memoryMiB: Infinity, takesFiles: true, limits: {} },
  // JSON in, JSON out, over within two seconds. A file that it writes fails the run loudly: nothing would keep it.
  evaluator: {
    timeoutMs: 2000,
    memoryMiB: 128,
    takesFiles: false,
    limits: { maxArtifacts: 0, maxArtifactBytes: 0, maxInlineArtifactBytes: 0 },
  },
}
