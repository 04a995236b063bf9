import PQueue from 'p-queue'
import { isBerthError } from '../domain/errors.ts'
import type { BerthId } from '../domain/ids.ts'
import type { Run } from '../domain/run.ts'
import type { RunnerReply } from '../domain/runner-protocol.ts'
import type { DispatcherDeps } from './dispatcher.ts'

const AT_ONCE = 4

interface Finished {
  readonly berthId: BerthId
  readonly run: Run
  readonly reply: RunnerReply
}

/** Puts artifacts that came inside the reply where the others lie, so that their URLs work. The run says which could not be kept. */
export const storeArtifacts = async (
  { files, events }: Pick<DispatcherDeps, 'files' | 'events'>,
  { berthId, run, reply }: Finished,
): Promise<Run> => {
  const queue = new PQueue({ concurrency: AT_ONCE })
  const { signal } = new AbortController()
  const put = async ({ name, content, stored }: RunnerReply['artifacts'][number]): Promise<readonly string[]> => {
    if (stored || content === null) return []
    const body = Buffer.from(content, 'base64')
    try {
      const place = { berthId, area: 'run', runId: run.id } as const
      await files.put(place, name, once(body), { maxBytes: body.length, signal })
      return []
    } catch (error) {
      // The error itself may name the tenant's file.
      const reason = isBerthError(error) ? error.code : 'internal'
      events.emit({ code: 'artifact.not_stored', level: 'error', berthId, runId: run.id, detail: { reason } })
      return [`The artifact ${JSON.stringify(name)} could not be stored; only this answer carries it.`]
    }
  }
  const lost = await queue.addAll(reply.artifacts.map((artifact) => () => put(artifact)))
  const warnings = lost.flat()
  return warnings.length === 0 ? run : { ...run, warnings: [...run.warnings, ...warnings] }
}

async function* once(body: Buffer): AsyncIterable<Uint8Array> {
  yield body
}
