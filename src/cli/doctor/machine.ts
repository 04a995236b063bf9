import { access, constants, readFile, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Finding, limited, missing, ok } from './finding.ts'

const GIB = 1024 ** 3
const LOW_BYTES = GIB

export const checkPlatform = (platform: string, arch: string): Finding =>
  platform === 'linux'
    ? ok('machine', `${platform} ${arch}`)
    : missing(
        'machine',
        `${platform} ${arch}`,
        'Use a Linux machine or a Linux virtual machine; only Linux has the sandbox.',
      )

export const checkDisk = async (dataDir: string): Promise<Finding> => {
  try {
    await access(await nearestExisting(dataDir), constants.W_OK)
  } catch (error) {
    return missing(
      'data directory',
      `${dataDir} cannot be written: ${String(error)}`,
      'Set BERTH_DATA_DIR to a folder of your own.',
    )
  }
  const { bavail, bsize } = await statfs(await nearestExisting(dataDir))
  const free = bavail * bsize
  const detail = `${dataDir}, ${(free / GIB).toFixed(1)} GiB free`
  return free >= LOW_BYTES
    ? ok('data directory', detail)
    : limited('data directory', detail, 'Free some space; runs and files need it.')
}

/** The server makes the folder at its first start; until then its parent has to take it. */
const nearestExisting = (path: string): Promise<string> =>
  access(path).then(
    () => path,
    () => (dirname(path) === path ? path : nearestExisting(dirname(path))),
  )

/** Without a writable cgroup, memory and processes are limited per process and not per run. */
export const checkCgroups = async (): Promise<Finding> => {
  const remedy =
    'Optional: start the server where it owns a cgroup, for example systemd-run --user --scope -p Delegate=yes berth serve.'
  const found = await readFile('/proc/self/cgroup', 'utf8').catch(() => '')
  const own = /^0::(.*)$/m.exec(found)?.[1]
  if (own === undefined) return limited('cgroups', 'no cgroup v2 here; rlimits hold instead', remedy)
  const folder = `/sys/fs/cgroup${own === '/' ? '' : own}`
  try {
    await access(folder, constants.W_OK)
    const controllers = await readFile(`${folder}/cgroup.controllers`, 'utf8')
    const lacking = ['memory', 'pids'].filter((name) => !controllers.split(/\s+/).includes(name))
    if (lacking.length === 0) return ok('cgroups', 'writable, with memory and pids')
    return limited('cgroups', `writable, without ${lacking.join(' and ')}; rlimits hold instead`, remedy)
  } catch {
    return limited('cgroups', 'not writable; rlimits hold instead', remedy)
  }
}
