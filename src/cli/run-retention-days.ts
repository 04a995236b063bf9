import { BerthError } from '../domain/errors.ts'
import { environmentSchema } from '../main/environment.ts'

/** As the server would read it. @throws {BerthError} config_invalid */
export const runRetentionDaysOf = (env: NodeJS.ProcessEnv): number => {
  const parsed = environmentSchema.shape.BERTH_RUN_RETENTION_DAYS.safeParse(
    env['BERTH_RUN_RETENTION_DAYS'] || undefined,
  )
  if (parsed.success) return parsed.data
  const detail = `BERTH_RUN_RETENTION_DAYS: ${parsed.error.issues[0]?.message ?? 'is not valid'}`
  throw new BerthError('config_invalid', detail, { errors: [{ pointer: '/BERTH_RUN_RETENTION_DAYS', detail }] })
}
