import { setTimeout as sleep } from 'node:timers/promises'
import type { BerthSubject } from './berth-subject.ts'
import { percentile } from './compare.ts'
import { type Figures, ratio } from './figures.ts'
import { descendants, pssMiB } from './process-memory.ts'
import { pythonOneLiner } from './programs.ts'
import { measureThroughput } from './throughput.ts'

const TENANTS = 200
const IN_FLIGHT = 8

/** At rest: when spares are refilled and ended sandboxes reaped. The median of a few looks. */
const restingPss = async (): Promise<number> => {
  const looks: number[] = []
  for (let look = 0; look < 5; look += 1) {
    await sleep(150)
    looks.push(await pssMiB(await descendants(process.pid)))
  }
  return percentile(looks, 0.5)
}

/** The server's side is this process and the runner below it. As many runs before the first look as before the second. */
const measureMemory = async (subject: BerthSubject): Promise<Figures> => {
  const first = await subject.makeBerth()
  const others = await Promise.all(Array.from({ length: TENANTS - 1 }, () => subject.makeBerth()))
  for (let n = 0; n < TENANTS; n += 1) await subject.run(first, pythonOneLiner)
  const one = await restingPss()
  for (const berthId of [first, ...others]) await subject.run(berthId, pythonOneLiner)
  const many = await restingPss()
  return {
    values: {
      'local.memory.tenants_200_vs_1': ratio(many, one),
      'local.memory.tenants_1_mib': Math.round(one),
      'local.memory.tenants_200_mib': Math.round(many),
    },
    omitted: {},
  }
}

const measureInFlight = async (subject: BerthSubject): Promise<Figures> => {
  const berths = await Promise.all(Array.from({ length: IN_FLIGHT }, () => subject.makeBerth()))
  const { perSecond, n } = await measureThroughput(IN_FLIGHT, 3_000, async (client) => {
    const berthId = berths[client]
    if (berthId !== undefined) await subject.run(berthId, pythonOneLiner)
  })
  return { values: { 'local.throughput.in_flight_8.per_second': perSecond, 'local.throughput.n': n }, omitted: {} }
}

/** Many tenants and many runs at once. */
export const measureLoad = async (subject: BerthSubject): Promise<readonly Figures[]> => {
  const memory = await measureMemory(subject).catch((error: NodeJS.ErrnoException): Figures => {
    if (error.code !== 'EACCES') throw error
    const why = 'the memory of processes that protect themselves can be read by root alone'
    return { values: {}, omitted: { 'local.memory.tenants_200_vs_1': why } }
  })
  return [memory, await measureInFlight(subject)]
}
