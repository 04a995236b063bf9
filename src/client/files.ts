import { streamOf } from './byte-stream.ts'
import { type Download, openDownload } from './download.ts'
import { entriesOf } from './pages.ts'
import type { Waiting } from './runs.ts'
import type { Transport } from './transport.ts'
import type { Page, StoredFile } from './wire.ts'

/** What can be uploaded. A stream goes out as it comes and is never held whole; it cannot be tried again. */
export type UploadBody = string | Uint8Array | Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>

export interface Files {
  /** Durable when it resolves; replaces a file of the same name as a whole. @throws {BerthError} invalid_file_name, file_too_large, files_quota */
  upload(name: string, body: UploadBody, options?: Waiting): Promise<StoredFile>
  /** @throws {BerthError} not_found */
  download(name: string, options?: Waiting): Promise<Download>
  /** In order of names. */
  list(options?: Waiting & { readonly pageSize?: number | undefined }): AsyncIterable<StoredFile>
  /** @throws {BerthError} not_found */
  remove(name: string, options?: Waiting): Promise<void>
}

export const createFiles = (transport: Transport): Files => ({
  upload(name, body, { signal } = {}) {
    const isStream = typeof body === 'object' && Symbol.asyncIterator in body && !(body instanceof ReadableStream)
    const sent = isStream ? streamOf(body) : (body as NonNullable<RequestInit['body']>)
    return transport.json<StoredFile>({
      method: 'PUT',
      path: ['v1', 'files', name],
      body: sent,
      headers: { 'Content-Type': 'application/octet-stream' },
      repeat: sent instanceof ReadableStream ? 'never' : 'always',
      timeoutMs: null,
      signal,
    })
  },
  download: (name, { signal } = {}) => openDownload(transport, ['v1', 'files', name], signal),
  list: ({ pageSize, signal } = {}) =>
    entriesOf((cursor) =>
      transport.json<Page<StoredFile>>({
        method: 'GET',
        path: ['v1', 'files'],
        query: { limit: pageSize, cursor },
        repeat: 'always',
        signal,
      }),
    ),
  async remove(name, { signal } = {}) {
    await transport.json<null>({ method: 'DELETE', path: ['v1', 'files', name], repeat: 'unstarted', signal })
  },
})
