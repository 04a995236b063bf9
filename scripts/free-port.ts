import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { randomInt } from 'node:crypto'

/** Above 10080, the last port that `fetch` refuses to ask. */
const LOWEST = 11_000
/** One process is given each of them once. */
const given = new Set<number>()
/** From here on the system gives ports to connections that go out, Linux's own default being 32768. */
const firstOfOthers = (): number => {
  try {
    return Number.parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'), 10)
  } catch {
    return 32_768
  }
}

/**
 * A port for a process that has to be told one. Of those that the system gives out itself, another process's connection may take the one that
 * was free a moment ago, the more so while a server that is killed and started again leaves its own.
 */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(LOWEST, Math.max(firstOfOthers(), LOWEST + 1000))
    if (given.has(port) || (await isTaken(port))) continue
    given.add(port)
    return port
  }
}

const isTaken = async (port: number): Promise<boolean> => {
  const probe = createServer().listen(port, '127.0.0.1')
  try {
    await once(probe, 'listening')
  } catch {
    return true
  }
  probe.close()
  await once(probe, 'close')
  return false
}
