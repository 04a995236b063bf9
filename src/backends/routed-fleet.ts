import type { Fleet } from '../domain/ports/fleet.ts'
import { fromEveryCell, type Routes } from './routes.ts'

export const createRoutedFleet = (routes: Routes): Fleet => ({
  list: (options) => fromEveryCell(routes, ({ fleet }) => fleet.list(options), options),
  update: async (berthId, image, options) => (await routes.of(berthId, options)).fleet.update(berthId, image, options),
  selfTest: async (berthId, options) => (await routes.of(berthId, options)).fleet.selfTest(berthId, options),
})
