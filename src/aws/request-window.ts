import type { Clock } from '../domain/ports/clock.ts'

const SPAN_MS = 1000

export interface RequestWindow {
  /** 0 when so many may leave now, else how long until they may. What costs more than the limit leaves alone. */
  waitMs(cost: number): number
  add(cost: number, atMs: number): void
}

/** No more than `most` requests in any one second, however late the timers were before. */
export const createRequestWindow = (clock: Pick<Clock, 'monotonicMs'>, most: number): RequestWindow => {
  let sent: { readonly atMs: number; readonly cost: number }[] = []
  return {
    waitMs: (cost) => {
      const now = clock.monotonicMs()
      sent = sent.filter(({ atMs }) => atMs > now - SPAN_MS)
      let excess = sent.reduce((sum, one) => sum + one.cost, 0) + cost - most
      let waitMs = 0
      for (const one of sent) {
        if (excess <= 0) break
        excess -= one.cost
        waitMs = one.atMs + SPAN_MS - now
      }
      return waitMs
    },
    add: (cost, atMs) => void sent.push({ atMs, cost }),
  }
}
