import { BerthError } from '../domain/errors.ts'
import type { CellSetting } from '../main/cell-setting.ts'
import { environmentSchema } from '../main/environment.ts'

/** The cells that the environment names. @throws {BerthError} config_invalid */
export const cellsOf = (env: NodeJS.ProcessEnv): readonly CellSetting[] => {
  const parsed = environmentSchema.shape.BERTH_CELLS.safeParse(env['BERTH_CELLS'] || undefined)
  if (parsed.success) return parsed.data
  const detail = `BERTH_CELLS: ${parsed.error.issues[0]?.message ?? 'is not valid'}`
  throw new BerthError('config_invalid', detail, { errors: [{ pointer: '/BERTH_CELLS', detail }] })
}
