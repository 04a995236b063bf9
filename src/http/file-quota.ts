import { BerthError } from '../domain/errors.ts'
import type { BerthId } from '../domain/ids.ts'
import type { FileUsage, TenantFiles } from '../domain/ports/tenant-files.ts'

/** Each upload lists them all, a thousand at a time. */
export const MAX_TENANT_FILES = 10_000

export interface QuotaOptions {
  readonly files: Pick<TenantFiles, 'usage'>
  readonly maxTenantBytes: number
  /** @default MAX_TENANT_FILES */
  readonly maxTenantFiles?: number
}

export interface Upload {
  readonly berthId: BerthId
  /** Bytes of the file that this one replaces; null when it is new. */
  readonly replacesBytes: number | null
  /** Null when the sender did not say. */
  readonly declaredBytes: number | null
  readonly signal: AbortSignal
}

interface Ledger {
  /** What lay there when it was last counted, and what was written since. */
  stored: FileUsage
  /** What uploads are bringing. */
  incoming: FileUsage
  /** What uploads that have ended have brought since the ledger was opened. */
  brought: FileUsage
  uploads: number
}

const nothing: FileUsage = { bytes: 0, files: 0 }
const add = (a: FileUsage, b: FileUsage, sign: 1 | -1 = 1): FileUsage => ({
  bytes: a.bytes + sign * b.bytes,
  files: a.files + sign * b.files,
})

/**
 * Holds a tenant's files below their quota, for uploads at the same time too. Exact within one process; several
 * processes may together exceed it by what they receive at once.
 */
export const createFileQuota = ({ files, maxTenantBytes, maxTenantFiles = MAX_TENANT_FILES }: QuotaOptions) => {
  const ledgers = new Map<BerthId, Ledger>()

  const open = (berthId: BerthId): Ledger => {
    const ledger = ledgers.get(berthId) ?? { stored: nothing, incoming: nothing, brought: nothing, uploads: 0 }
    ledgers.set(berthId, ledger)
    ledger.uploads += 1
    return ledger
  }

  /** What ended while the files were listed may be in the list or not: it is counted twice rather than never. */
  const recount = async (ledger: Ledger, { berthId, signal }: Upload): Promise<void> => {
    const { brought } = ledger
    const listed = await files.usage({ berthId, area: 'files' }, { signal })
    ledger.stored = add(listed, add(ledger.brought, brought, -1))
  }

  const assertRoom = (ledger: Ledger, upload: Upload, bytes: number): void =>
    assertBelow(
      { maxTenantBytes, maxTenantFiles },
      add(ledger.stored, ledger.incoming),
      bytes - (upload.replacesBytes ?? 0),
    )

  return {
    /** Calls `put` with a wrapper that counts the body. @throws {BerthError} files_quota */
    async hold<T>(
      upload: Upload,
      put: (count: (body: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>) => Promise<T>,
    ) {
      const ledger = open(upload.berthId)
      let own: FileUsage = nothing
      const take = (more: FileUsage): void => {
        ledger.incoming = add(ledger.incoming, more)
        own = add(own, more)
      }
      const count = async function* (body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
        for await (const chunk of body) {
          assertRoom(ledger, upload, chunk.length)
          take({ bytes: chunk.length, files: 0 })
          yield chunk
        }
      }
      try {
        await recount(ledger, upload)
        if (upload.replacesBytes === null) take({ bytes: 0, files: 1 })
        assertRoom(ledger, upload, upload.declaredBytes ?? 0)
        const stored = await put(count)
        ledger.stored = add(ledger.stored, own)
        ledger.brought = add(ledger.brought, own)
        return stored
      } finally {
        ledger.incoming = add(ledger.incoming, own, -1)
        ledger.uploads -= 1
        if (ledger.uploads === 0) ledgers.delete(upload.berthId)
      }
    },
  }
}

const assertBelow = (
  { maxTenantBytes, maxTenantFiles }: Required<Omit<QuotaOptions, 'files'>>,
  total: FileUsage,
  moreBytes: number,
): void => {
  const bytes = total.bytes + moreBytes
  if (bytes > maxTenantBytes)
    throw new BerthError(
      'files_quota',
      `All files of a tenant may have ${maxTenantBytes} bytes together; this one makes it ${bytes}.`,
    )
  if (total.files > maxTenantFiles)
    throw new BerthError('files_quota', `A tenant may have ${maxTenantFiles} files; this one makes it ${total.files}.`)
}
