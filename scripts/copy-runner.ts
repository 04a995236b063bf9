import { cp } from 'node:fs/promises'

/** A runner's folder, while somebody else lets Python compile there: what it has not finished is gone at any moment. */
export const copyRunner = (from: string, to: string): Promise<void> =>
  cp(from, to, { recursive: true, preserveTimestamps: true, filter: (path) => !/\.pyc\.\d+$/.test(path) })
