import { BerthError } from '../../domain/errors.ts'
import type { TenantFiles } from '../../domain/ports/tenant-files.ts'

const unsupported = (): BerthError =>
  new BerthError(
    'unsupported',
    'Tenants of a shared function have no files: its role serves all of them and may read nothing. An operator can move the tenant to a berth of its own (`berth tenants move`)',
  )

/** Whoever asks learns that there is nothing; whoever wants to keep something is refused. */
export const createNoFiles = (): TenantFiles => ({
  list: async () => ({ entries: [], nextCursor: null }),
  put: async (_, __, body) => {
    // The body is told that nobody will read it.
    await body[Symbol.asyncIterator]().return?.()
    throw unsupported()
  },
  get: async () => null,
  delete: async () => false,
  deleteAll: async () => 0,
  listRuns: async () => [],
  deleteStrays: async () => 0,
  presign: async () => {
    throw unsupported()
  },
  usage: async () => ({ bytes: 0, files: 0 }),
})
