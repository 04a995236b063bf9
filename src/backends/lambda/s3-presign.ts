import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { Cell } from '../../aws/cell.ts'

/** Long enough to begin a transfer; one that has begun goes on. */
const LIFE_SECONDS = 300

/** Saved, never shown: what a tenant's code wrote must not run as a page. */
const asAttachment = (name: string): string => {
  const last = name.slice(name.lastIndexOf('/') + 1)
  const encoded = encodeURIComponent(last).replaceAll(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename*=UTF-8''${encoded}`
}

export const presignGet = (cell: Cell, key: string, name: string): Promise<string> => {
  const command = new GetObjectCommand({
    Bucket: cell.foundation.bucket,
    Key: key,
    ResponseContentType: 'application/octet-stream',
    ResponseContentDisposition: asAttachment(name),
  })
  return getSignedUrl(cell.clients.s3, command, { expiresIn: LIFE_SECONDS })
}

/** The length is signed, so S3 refuses any other. */
export const presignPut = (cell: Cell, key: string, bytes: number): Promise<string> => {
  const command = new PutObjectCommand({ Bucket: cell.foundation.bucket, Key: key, ContentLength: bytes })
  return getSignedUrl(cell.clients.s3, command, {
    expiresIn: LIFE_SECONDS,
    unhoistableHeaders: new Set(['content-length']),
  })
}
