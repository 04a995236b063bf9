import { GetCallerIdentityCommand } from '@aws-sdk/client-sts'
import type { Cell } from '../../aws/cell.ts'
import type { WantedImage } from '../../aws/wanted-image.ts'

const MAX_LENGTH = 300

/** Every change of what is wanted says who made it, in AWS's own words; servers tell it to the audit log. */
export const signedWanted = (cell: Cell, wanted: WantedImage): WantedImage => ({
  ...wanted,
  change: async (change, options) => {
    const by = await callerOf(cell, options)
    return wanted.change((present) => ({ ...change(present), by }), options)
  },
})

/** Nobody is kept from a rollback because the one question that only the audit log needs is not answered. */
const callerOf = async ({ clients }: Cell, { signal }: { signal: AbortSignal }): Promise<string> => {
  const command = new GetCallerIdentityCommand({})
  const answer = await clients.sts.send(command, { abortSignal: signal }).catch(() => null)
  signal.throwIfAborted()
  return answer?.Arn?.slice(0, MAX_LENGTH) ?? 'unknown'
}
