import type { TenantFiles } from '../domain/ports/tenant-files.ts'
import type { Routes } from './routes.ts'

export const createRoutedFiles = (routes: Routes): TenantFiles => {
  const filesOf = async (...given: Parameters<Routes['of']>): Promise<TenantFiles> => (await routes.of(...given)).files
  return {
    list: async (place, options) => (await filesOf(place.berthId, options)).list(place, options),
    put: async (place, name, ...[body, options]) =>
      (await filesOf(place.berthId, options)).put(place, name, body, options),
    get: async (place, name, options) => (await filesOf(place.berthId, options)).get(place, name, options),
    delete: async (place, name, options) => (await filesOf(place.berthId, options)).delete(place, name, options),
    deleteAll: async (place, options) => (await filesOf(place.berthId, options)).deleteAll(place, options),
    listRuns: async (berthId, options) => (await filesOf(berthId, options)).listRuns(berthId, options),
    deleteStrays: async (berthId, options) => (await filesOf(berthId, options)).deleteStrays(berthId, options),
    presign: async (place, name, options) => (await filesOf(place.berthId, options)).presign(place, name, options),
    usage: async (place, options) => (await filesOf(place.berthId, options)).usage(place, options),
  }
}
