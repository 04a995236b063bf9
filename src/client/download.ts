import type { Transport } from './transport.ts'

/** A file or an artifact on its way. Read it once, by one of the three. */
export interface Download {
  readonly contentType: string
  /** null when the server does not say. */
  readonly contentLength: number | null
  readonly stream: ReadableStream<Uint8Array>
  bytes(): Promise<Uint8Array>
  text(): Promise<string>
}

export const openDownload = async (
  transport: Transport,
  path: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Download> => {
  const response = await transport.open({
    method: 'GET',
    path,
    headers: { Accept: '*/*' },
    repeat: 'always',
    signal,
  })
  const length = response.headers.get('content-length')
  return {
    contentType: response.headers.get('content-type') ?? 'application/octet-stream',
    contentLength: length === null ? null : Number(length),
    stream: response.body ?? new Blob([]).stream(),
    bytes: async () => new Uint8Array(await response.arrayBuffer()),
    text: () => response.text(),
  }
}
