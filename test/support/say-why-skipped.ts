import { afterEach } from 'vitest'

declare module 'vitest' {
  interface TaskMeta {
    whySkipped?: string
  }
}

// A test that skips itself says why in a note that no report carries; its metadata are in the report.
afterEach(({ task }) => {
  const result: object = task.result ?? {}
  if ('note' in result && typeof result.note === 'string') task.meta.whySkipped = result.note
})
