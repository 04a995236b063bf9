import { z } from 'zod'
import type { Cell } from '../../aws/cell.ts'
import type { BerthId } from '../../domain/ids.ts'
import type { RuntimeDescription } from '../../domain/ports/dispatch.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import { languageSchema } from '../../domain/run.ts'
import { RUNNER_PROTOCOL } from '../../domain/runner-protocol.ts'
import type { FunctionUse } from './function-use.ts'
import { invokeBerth } from './invoke-berth.ts'
import { findSizeFault } from './size-fault.ts'

export interface DescriptionOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** The image that berths are to run, for the time before any berth can be asked. */
  readonly wanted: () => Promise<{ readonly image: string; readonly version: number } | null>
}

export interface Description {
  readonly describe: () => Promise<RuntimeDescription>
  /** A berth that has just answered is warm: it is the one to ask next. */
  readonly answered: (berthId: BerthId) => void
}

/** Images change with a rollout, so what one berth said holds for so long. */
const FRESH_MS = 10 * 60_000
/** After a berth could not be asked; keeps a broken one from being invoked for every request. */
const RETRY_MS = 30_000
const PING_DEADLINE_MS = 20_000

/** Room for some hundred packages. */
const MOST = { depth: 6, size: 64 * 1024 }
/** One word, with which nobody can be spoken to. */
const word = z.string().regex(/^[\w.+!~@-]{1,64}$/)

/**
 * Of the runner and its warnings nothing is taken: code that has got hold of its function answers here too, and all tenants read
 * the description. It can lie about versions of packages, in words that do nothing.
 */
const pongSchema = z.object({
  kind: z.literal('pong'),
  protocol: z.literal(RUNNER_PROTOCOL),
  languages: z
    .array(z.object({ language: languageSchema, version: word, packages: z.record(word, word) }))
    .refine((all) => new Set(all.map(({ language }) => language)).size === all.length),
})
type Languages = RuntimeDescription['languages']

export const pingEvent = { protocol: RUNNER_PROTOCOL, kind: 'ping' } as const

const languagesIn = (answer: unknown): Languages | null => {
  if (findSizeFault(answer, MOST) !== null) return null
  return pongSchema.safeParse(answer).data?.languages ?? null
}

const ask = async (cell: Cell, use: FunctionUse, last: BerthId | null): Promise<Languages | null> => {
  const signal = AbortSignal.timeout(PING_DEADLINE_MS)
  try {
    const berthId = last ?? (await use.anyBerth(signal))
    if (berthId === null) return null
    const { answer } = await invokeBerth(cell, { berthId, event: pingEvent, target: use.target(berthId), signal })
    return languagesIn(answer)
  } catch {
    // The berth is suspended, waking or gone. That is told where it is used; here the next best source answers.
    return null
  }
}

const describeWith = async (
  { wanted }: DescriptionOptions,
  languages: Languages | null,
): Promise<RuntimeDescription> => {
  const image = await wanted()
  const level = languages === null ? 'unknown' : 'guard'
  const runner = { version: image?.version ?? 0, image: image?.image ?? 'none', level }
  return { languages: languages ?? [], runner, warnings: [] }
}

/**
 * What the image offers: its languages as a runner in a berth tells them, asked at most every ten minutes, never per run; which
 * image it is as the wanted image's record says. Until a berth has answered, no languages.
 */
export const createDescription = (cell: Cell, use: FunctionUse, options: DescriptionOptions): Description => {
  let last: BerthId | null = null
  let known: RuntimeDescription | null = null
  let askAgainMs = -Infinity
  let asking: Promise<void> | null = null
  const refresh = async (): Promise<void> => {
    const told = await ask(cell, use, last)
    if (told === null) last = null
    // Without the record of the wanted image what was known stays; the next reader gets the error where nothing was.
    else known = await describeWith(options, told).catch(() => known)
    askAgainMs = options.clock.monotonicMs() + (told === null ? RETRY_MS : FRESH_MS)
    asking = null
  }
  return {
    answered: (berthId) => {
      last = berthId
    },
    describe: async () => {
      if (options.clock.monotonicMs() >= askAgainMs) {
        asking ??= refresh()
        // What is known is shown at once; the next reader sees the new.
        if (known === null) await asking
      }
      return known ?? describeWith(options, null)
    },
  }
}
