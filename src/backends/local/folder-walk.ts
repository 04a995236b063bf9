import { readdir, stat, rm } from 'node:fs/promises'

/** Names of all regular files below a folder, with "/" between parts. Symlinks are neither followed nor named. */
export const namesBelow = async (folder: string, signal: AbortSignal): Promise<string[]> => {
  const names: string[] = []
  const waiting = ['']
  for (let prefix = waiting.pop(); prefix !== undefined; prefix = waiting.pop()) {
    signal.throwIfAborted()
    for (const entry of await readdir(`${folder}/${prefix}`, { withFileTypes: true })) {
      if (entry.isDirectory()) waiting.push(`${prefix}${entry.name}/`)
      if (entry.isFile()) names.push(`${prefix}${entry.name}`)
    }
  }
  return names
}

/** Removes entries of `folder` that nobody touched for `olderThanMs`: what a crash left behind. Returns how many. */
export const sweepFolder = async (folder: string, olderThanMs: number, now: Date): Promise<number> => {
  let swept = 0
  for (const name of await readdir(folder)) {
    const stats = await stat(`${folder}/${name}`).catch(() => null)
    if (stats === null || now.getTime() - stats.mtimeMs < olderThanMs) continue
    await rm(`${folder}/${name}`, { recursive: true, force: true })
    swept += 1
  }
  return swept
}
