import { z } from 'zod'
import type { Cell } from '../../aws/cell.ts'
import type { BerthId } from '../../domain/ids.ts'
import type { RuntimeDescription } from '../../domain/ports/dispatch.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import { languageSchema } from '../../domain/run.ts'
import { RUNNER_PROTOCOL } from '../../domain/runner-protocol.ts'
import type { FunctionUse } from './function-use.ts'
import { invokeBerth } from './invoke-berth.ts'

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

const pongSchema = z.object({
  kind: z.literal('pong'),
  protocol: z.literal(RUNNER_PROTOCOL),
  runner: z.object({ version: z.int(), image: z.string(), level: z.string() }),
  languages: z.array(
    z.object({ language: languageSchema, version: z.string(), packages: z.record(z.string(), z.string()) }),
  ),
  warnings: z.array(z.string()),
})

export const pingEvent = { protocol: RUNNER_PROTOCOL, kind: 'ping' } as const

const ask = async (cell: Cell, use: FunctionUse, last: BerthId | null): Promise<RuntimeDescription | null> => {
  const signal = AbortSignal.timeout(PING_DEADLINE_MS)
  try {
    const berthId = last ?? (await use.anyBerth(signal))
    if (berthId === null) return null
    const { answer } = await invokeBerth(cell, { berthId, event: pingEvent, target: use.target(berthId), signal })
    const pong = pongSchema.safeParse(answer)
    return pong.success
      ? { languages: pong.data.languages, runner: pong.data.runner, warnings: pong.data.warnings }
      : null
  } catch {
    // The berth is suspended, waking or gone. That is told where it is used; here the next best source answers.
    return null
  }
}

const unasked = async ({ wanted }: DescriptionOptions): Promise<RuntimeDescription> => {
  const image = await wanted()
  const runner = { version: image?.version ?? 0, image: image?.image ?? 'none', level: 'unknown' }
  return { languages: [], runner, warnings: [] }
}

/**
 * What the image offers, as a runner in a berth tells it: asked at most every ten minutes, never per run. Until a berth has
 * answered, what the wanted image's record says, and no languages.
 */
export const createDescription = (cell: Cell, use: FunctionUse, options: DescriptionOptions): Description => {
  let last: BerthId | null = null
  let known: RuntimeDescription | null = null
  let askAgainMs = -Infinity
  let asking: Promise<void> | null = null
  const refresh = async (): Promise<void> => {
    const told = await ask(cell, use, last)
    if (told === null) last = null
    known = told ?? known
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
      return known ?? unasked(options)
    },
  }
}
