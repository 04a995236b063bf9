import { existsSync } from 'node:fs'
import { BerthError } from '../../domain/errors.ts'
import type { Dispatch } from '../../domain/ports/dispatch.ts'
import { RUNNER_PROTOCOL } from '../../domain/runner-protocol.ts'
import { acceptRunnerReply } from '../../domain/runner-reply.ts'
import type { Layout } from './layout.ts'
import type { Runner } from './runner-slot.ts'

export interface LocalDispatchOptions {
  readonly layout: Layout
  readonly runner: Pick<Runner, 'run' | 'hello'>
  readonly maxConcurrency: number
}

/** Runs code in the one runner process of this machine, each run in a sandbox of its own with its own berth's files. */
export const createLocalDispatch = ({ layout, runner, maxConcurrency }: LocalDispatchOptions): Dispatch => ({
  capabilities: { streamsOutput: true, cancels: true, files: true, maxConcurrency },

  async dispatch({ berthId, request, signal, onOutput }) {
    const prefix = {
      kind: 'folder' as const,
      files: layout.files(berthId),
      run: layout.run(berthId, request.runId),
    }
    // Synchronous on purpose: 3 µs, where a trip through the thread pool takes 50.
    if (!existsSync(prefix.files))
      throw new BerthError('backend_unavailable', `Berth ${berthId} has no folder on this machine`)
    const message = await runner.run(
      { protocol: RUNNER_PROTOCOL, kind: 'run', ...request, prefix },
      { signal, onOutput },
    )
    return acceptRunnerReply(message)
  },

  async describe() {
    const { languages, runner: about, warnings } = await runner.hello(new AbortController().signal)
    return { languages, runner: about, warnings }
  },
})
