import { readFile, readdir } from 'node:fs/promises'

/** Ids of a process and of everything below it. */
export const descendants = async (root: number): Promise<readonly number[]> => {
  const children = new Map<number, number[]>()
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => null)
    if (stat === null) continue
    // After the name, which is in brackets and may hold anything: state, then the parent.
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const found: number[] = []
  const waiting = [root]
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    found.push(pid)
    waiting.push(...(children.get(pid) ?? []))
  }
  return found
}

/** Proportional set size of all of them: pages that they share count once. A process that has just ended counts nothing. */
export const pssMiB = async (pids: readonly number[]): Promise<number> => {
  let kib = 0
  for (const pid of pids) {
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EACCES') throw error
      return ''
    })
    kib += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0)
  }
  return kib / 1024
}
