import type { Artifact } from '../domain/run.ts'
import { type Download, openDownload } from './download.ts'
import type { Waiting } from './runs.ts'
import type { Transport } from './transport.ts'

export interface Artifacts {
  /** @throws {BerthError} not_found */
  list(runId: string, options?: Waiting): Promise<readonly Artifact[]>
  /** @throws {BerthError} not_found */
  download(runId: string, name: string, options?: Waiting): Promise<Download>
}

export const createArtifacts = (transport: Transport): Artifacts => ({
  async list(runId, { signal } = {}) {
    const { data } = await transport.json<{ readonly data: readonly Artifact[] }>({
      method: 'GET',
      path: ['v1', 'runs', runId, 'artifacts'],
      repeat: 'always',
      signal,
    })
    return data
  },
  download: (runId, name, { signal } = {}) =>
    // A name is a path below outputs/: its slashes stay slashes.
    openDownload(transport, ['v1', 'runs', runId, 'artifacts', ...name.split('/')], signal),
})
