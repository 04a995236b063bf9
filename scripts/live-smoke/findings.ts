import { isBerthError } from '../../src/domain/errors.ts'
import { assumptions } from './assumptions.ts'

export interface Finding {
  readonly id: string
  readonly verdict: 'proven' | 'refuted' | 'not tried'
  readonly detail: string
  readonly seconds: number | null
}

export interface Findings {
  /** Does the step; what it answers is the detail. Goes on after a failure. */
  prove(id: string, step: () => Promise<string>): Promise<void>
  /** The same for what everything after it needs. @throws what the step threw */
  need<T>(id: string, step: () => Promise<{ readonly detail: string; readonly value: T }>): Promise<T>
  all(): readonly Finding[]
}

/** Thrown by a step that could not be taken: it shows nothing either way. */
export class NotTried extends Error {}

const textOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const { reason, awsMessage } = isBerthError(error) ? error.data : {}
  const more = [reason, awsMessage].find(
    (text): text is string => typeof text === 'string' && !error.message.includes(text),
  )
  return more === undefined ? error.message : `${error.message} (${more})`
}

export const createFindings = (say: (line: string) => void, signal: AbortSignal): Findings => {
  const made = new Map<string, Finding>()
  const note = (id: string, verdict: Finding['verdict'], { detail, since }: { detail: string; since: number }) => {
    const seconds = Number(((performance.now() - since) / 1000).toFixed(1))
    made.set(id, { id, verdict, detail, seconds })
    say(`${verdict.padEnd(9)} ${id} (${seconds} s): ${detail}`)
  }
  const need: Findings['need'] = async (id, step) => {
    signal.throwIfAborted()
    const since = performance.now()
    try {
      const { detail, value } = await step()
      note(id, 'proven', { detail, since })
      return value
    } catch (error) {
      signal.throwIfAborted()
      note(id, error instanceof NotTried ? 'not tried' : 'refuted', { detail: textOf(error), since })
      throw error
    }
  }
  return {
    need,
    prove: async (id, step) => {
      await need(id, async () => ({ detail: await step(), value: undefined })).catch(() => signal.throwIfAborted())
    },
    all: () =>
      assumptions.map(
        ({ id, whyNot }) =>
          made.get(id) ?? { id, verdict: 'not tried', detail: whyNot ?? 'the pass ended before it', seconds: null },
      ),
  }
}

/** One line for each, the text of the assumption below its verdict. */
export const toTable = (findings: readonly Finding[]): string => {
  const width = Math.max(...findings.map(({ id }) => id.length))
  return findings
    .map(({ id, verdict, detail }) => {
      const assumption = assumptions.find((one) => one.id === id)
      return `${verdict.padEnd(9)}  ${id.padEnd(width)}  ${assumption?.text} [${assumption?.source}]\n${' '.repeat(width + 13)}${detail}`
    })
    .join('\n')
}
