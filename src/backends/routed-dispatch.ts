import { BerthError } from '../domain/errors.ts'
import type { Dispatch, DispatchCapabilities, RuntimeDescription } from '../domain/ports/dispatch.ts'
import type { Routes } from './routes.ts'

/**
 * Where cells differ: `files` when some berths take them, and a run in one that does not is refused here; what every berth
 * has of the rest; and the places of all together.
 */
const merge = (all: readonly DispatchCapabilities[]): DispatchCapabilities => ({
  streamsOutput: all.every(({ streamsOutput }) => streamsOutput),
  cancels: all.every(({ cancels }) => cancels),
  files: all.some(({ files }) => files),
  maxConcurrency: all.reduce((sum, { maxConcurrency }) => sum + maxConcurrency, 0),
})

const describeAll = (all: readonly RuntimeDescription[]): RuntimeDescription => {
  // The one that most users may be met by is as good as any; that they differ is said.
  const [first, ...others] = all
  if (first === undefined) throw new BerthError('backend_unavailable', 'No cell answers')
  const differs = others.some(({ runner }) => runner.version !== first.runner.version)
  const warnings = [...new Set(all.flatMap((one) => one.warnings))]
  return {
    ...first,
    warnings: differs ? [...warnings, 'cells run different runner versions; this describes one of them'] : warnings,
  }
}

export const createRoutedDispatch = (routes: Routes): Dispatch => ({
  get capabilities() {
    const opened = routes.cells.flatMap((cell) => (cell.opened === null ? [] : [cell.opened.dispatch.capabilities]))
    return merge(opened)
  },

  dispatch: async (options) => {
    const { dispatch } = await routes.of(options.berthId, options)
    if (options.request.files.length > 0 && !dispatch.capabilities.files)
      throw new BerthError('unsupported', 'this berth gives runs no files; leave `files` out')
    return dispatch.dispatch(options)
  },

  describe: async () => {
    const { signal } = new AbortController()
    const answers = await Promise.allSettled(
      routes.cells.map(async (cell) => (await cell.open({ signal })).dispatch.describe()),
    )
    const described = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
    const failed = answers.find((answer) => answer.status === 'rejected')
    if (described.length === 0 && failed !== undefined) throw failed.reason
    return describeAll(described)
  },
})
