import type { Protocol } from './action.ts'

/** An answer of the front itself. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export interface AwsError {
  readonly status: number
  readonly code: string
  readonly message: string
  /** Further fields, as `Reason`; only where errors are JSON. */
  readonly more?: Readonly<Record<string, string>>
}

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** The error in the form of the service's protocol, so that the SDK reads it as it would AWS's. */
export const errorAnswer = (protocol: Protocol, { status, code, message, more }: AwsError): Answer => {
  const text = escapeXml(message)
  switch (protocol) {
    case 'lambda':
      return {
        status,
        headers: { 'content-type': 'application/json', 'x-amzn-errortype': code },
        body: Buffer.from(JSON.stringify({ Type: status < 500 ? 'User' : 'Service', ...more, message })),
      }
    case 'json':
      return {
        status,
        headers: { 'content-type': 'application/x-amz-json-1.1' },
        body: Buffer.from(JSON.stringify({ __type: code, ...more, message })),
      }
    case 's3':
      return xml(status, `<Error><Code>${code}</Code><Message>${text}</Message></Error>`)
    case 'query': {
      const fault = status < 500 ? 'Sender' : 'Receiver'
      const error = `<Error><Type>${fault}</Type><Code>${code}</Code><Message>${text}</Message></Error>`
      return xml(status, `<ErrorResponse>${error}<RequestId>aws-local</RequestId></ErrorResponse>`)
    }
    default:
      return protocol satisfies never
  }
}

const xml = (status: number, body: string): Answer => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>${body}`),
})

const THROTTLING: Readonly<Record<Protocol, AwsError>> = {
  lambda: {
    status: 429,
    code: 'TooManyRequestsException',
    message: 'Rate exceeded',
    more: { Reason: 'CallerRateLimitExceeded' },
  },
  json: { status: 400, code: 'ThrottlingException', message: 'Rate exceeded' },
  s3: { status: 503, code: 'SlowDown', message: 'Please reduce your request rate.' },
  query: { status: 400, code: 'Throttling', message: 'Rate exceeded' },
}

const INTERNAL: Readonly<Record<Protocol, string>> = {
  lambda: 'ServiceException',
  json: 'InternalServerError',
  s3: 'InternalError',
  query: 'InternalFailure',
}

export const throttling = (protocol: Protocol): AwsError => THROTTLING[protocol]

export const internalError = (protocol: Protocol): AwsError => ({
  status: 500,
  code: INTERNAL[protocol],
  message: 'We encountered an internal error. Please try again.',
})
