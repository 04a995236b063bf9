import { BerthError } from '../domain/errors.ts'
import type { BerthId } from '../domain/ids.ts'
import type { TenantFiles } from '../domain/ports/tenant-files.ts'

export interface QuotaOptions {
  readonly files: Pick<TenantFiles, 'usedBytes'>
  readonly maxTenantBytes: number
}

export interface Upload {
  readonly berthId: BerthId
  /** Bytes of the file that this one replaces. */
  readonly replacesBytes: number
  /** Null when the sender did not say. */
  readonly declaredBytes: number | null
  readonly signal: AbortSignal
}

interface Ledger {
  /** What lay there when it was last counted. */
  storedBytes: number
  /** What uploads have brought since, and are bringing. */
  incomingBytes: number
  uploads: number
}

/**
 * Holds a tenant's files below their quota, for uploads at the same time too. Exact within one process; several
 * processes may together exceed it by what they receive at once.
 */
export const createFileQuota = ({ files, maxTenantBytes }: QuotaOptions) => {
  const ledgers = new Map<BerthId, Ledger>()

  const open = (berthId: BerthId): Ledger => {
    const ledger = ledgers.get(berthId) ?? { storedBytes: 0, incomingBytes: 0, uploads: 0 }
    ledgers.set(berthId, ledger)
    ledger.uploads += 1
    return ledger
  }

  const recount = async (ledger: Ledger, { berthId, signal }: Upload): Promise<void> => {
    ledger.storedBytes = await files.usedBytes({ berthId, area: 'files' }, { signal })
  }

  return {
    /** Calls `put` with a wrapper that counts the body. @throws {BerthError} files_quota */
    async hold<T>(
      upload: Upload,
      put: (count: (body: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>) => Promise<T>,
    ) {
      const ledger = open(upload.berthId)
      let own = 0
      const check = (bytes: number): void => {
        const total = ledger.storedBytes - upload.replacesBytes + ledger.incomingBytes + bytes
        if (total > maxTenantBytes)
          throw new BerthError(
            'files_quota',
            `All files of a tenant may have ${maxTenantBytes} bytes together; this one makes it ${total}.`,
          )
      }
      const count = async function* (body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
        for await (const chunk of body) {
          check(chunk.length)
          ledger.incomingBytes += chunk.length
          own += chunk.length
          yield chunk
        }
      }
      try {
        await recount(ledger, upload)
        check(upload.declaredBytes ?? 0)
        const stored = await put(count)
        // Counted before `own` is taken back: for a moment twice, never not at all.
        await recount(ledger, upload)
        return stored
      } finally {
        ledger.incomingBytes -= own
        ledger.uploads -= 1
        if (ledger.uploads === 0) ledgers.delete(upload.berthId)
      }
    },
  }
}
