import type { Switches } from './control.ts'

/** Times and rates near those of AWS, for a person who tries Berth; tests switch them one by one. */
export const TRUTHFUL: Partial<Switches> = {
  stackCreateMs: 6000,
  stackUpdateMs: 4000,
  stackDeleteMs: 4000,
  functionMs: 2000,
  roleMs: 3000,
  wakeMs: 10_000,
  idleMs: 14 * 24 * 3_600_000,
  limits: true,
}
