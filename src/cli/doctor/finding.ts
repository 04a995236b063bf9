/** What the doctor found in one place. `missing` is something that is needed, `limited` something that would be better. */
export interface Finding {
  readonly name: string
  readonly state: 'ok' | 'limited' | 'missing'
  readonly detail: string
  /** The one thing to do; null when all is well. */
  readonly remedy: string | null
}

export const ok = (name: string, detail: string): Finding => ({ name, state: 'ok', detail, remedy: null })

export const limited = (name: string, detail: string, remedy: string): Finding => ({
  name,
  state: 'limited',
  detail,
  remedy,
})

export const missing = (name: string, detail: string, remedy: string): Finding => ({
  name,
  state: 'missing',
  detail,
  remedy,
})
