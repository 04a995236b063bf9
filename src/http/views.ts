import type { ServiceKey } from '../domain/ports/store.ts'
import type { FileEntry } from '../domain/ports/tenant-files.ts'
import type { Berth, Tenant } from '../domain/tenant.ts'

const iso = (date: Date | null): string | null => date?.toISOString() ?? null

export const viewFile = ({ name, bytes, modifiedAt, sha256 }: FileEntry) => ({
  name,
  bytes,
  modifiedAt: modifiedAt.toISOString(),
  sha256,
})

export const viewBerth = (berth: Berth) => ({
  id: berth.id,
  state: berth.state,
  backend: berth.backend,
  cell: berth.cell,
  runnerVersion: berth.runnerVersion,
  image: berth.image,
  lastError: berth.lastError,
  createdAt: berth.createdAt.toISOString(),
  readyAt: iso(berth.readyAt),
  claimedAt: iso(berth.claimedAt),
})

export const viewTenant = (tenant: Tenant, berth: Berth | null) => ({
  id: tenant.id,
  externalId: tenant.externalId,
  state: tenant.state,
  berth: berth === null ? null : viewBerth(berth),
  createdAt: tenant.createdAt.toISOString(),
  deletedAt: iso(tenant.deletedAt),
})

export const viewKey = (key: ServiceKey) => ({
  id: key.id,
  name: key.name,
  role: key.role,
  project: key.project,
  createdAt: key.createdAt.toISOString(),
  lastUsedAt: iso(key.lastUsedAt),
  revokedAt: iso(key.revokedAt),
})
