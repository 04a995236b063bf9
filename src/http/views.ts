import type { FleetReport } from './http-deps.ts'
import type { ServiceKey } from '../domain/ports/store.ts'
import type { FileEntry } from '../domain/ports/tenant-files.ts'
import type { Berth, Tenant } from '../domain/tenant.ts'

/** Pins that have run out hold nothing any more. */
export const viewFleet = ({ cell, wanted, updatesFailed, listed, problem }: FleetReport, now: Date) => ({
  cell,
  wanted: wanted === null ? null : { image: wanted.image, version: wanted.version },
  candidate: wanted?.candidate ?? null,
  previous: wanted?.previous ?? null,
  fence: wanted?.fence ?? 0,
  held: wanted?.held ?? null,
  changedBy: wanted?.by ?? null,
  pins: (wanted?.pins ?? []).filter(({ until }) => new Date(until) > now),
  updatesFailed,
  listed: listed === null ? null : { ...listed, at: listed.at.toISOString() },
  problem,
})

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
