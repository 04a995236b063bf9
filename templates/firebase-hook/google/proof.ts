import { defineString } from 'firebase-functions/params'

const account = defineString('BERTH_HOOK_SERVICE_ACCOUNT', {
  description: 'The service account that these functions run as, and that your Berth lets in',
})

/** What the functions need to prove that it is them. */
export const means = { serviceAccount: account }

export interface Message {
  readonly id: string
  readonly body: string
  readonly url: string
  readonly signal: AbortSignal
}

const PATH = '/computeMetadata/v1/instance/service-accounts/default/identity'

/** An ID token of the account for this hook alone, of Google's metadata server, which keeps it until it is about to expire. */
export const prove = async ({ id, url, signal }: Message): Promise<Record<string, string>> => {
  const host = process.env['GCE_METADATA_HOST'] ?? 'metadata.google.internal'
  const query = new URLSearchParams({ audience: url, format: 'full' })
  const response = await fetch(`http://${host}${PATH}?${query}`, {
    headers: { 'metadata-flavor': 'Google' },
    redirect: 'error',
    signal,
  })
  const token = (await response.text()).trim()
  if (!response.ok) throw new Error(`the metadata server answered ${response.status} when asked for an ID token`)
  return { 'webhook-id': id, authorization: `Bearer ${token}` }
}
