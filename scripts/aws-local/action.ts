import type { IncomingMessage } from 'node:http'

/** How a service words its errors. */
export type Protocol = 'lambda' | 's3' | 'query' | 'json'

/** Which operation of which service a request asks for, named as in AWS's API. */
export interface Action {
  readonly service: string
  /** As `Invoke`, `CreateStack`, `PutObject`; `Unknown` where the path says nothing. */
  readonly name: string
  readonly protocol: Protocol
}

const SCOPE = /Credential=[^/]+\/\d{8}\/[^/]*\/([^/]+)\/aws4_request/
const PRESIGNED_SCOPE = /X-Amz-Credential=[^&]*?%2Faws4_request/i

/** Whether the operation's name stands in the body. */
export const isQuery = (asked: IncomingMessage): boolean =>
  String(asked.headers['content-type']).startsWith('application/x-www-form-urlencoded')

const serviceOf = (asked: IncomingMessage): string => {
  const signed = SCOPE.exec(asked.headers.authorization ?? '')?.[1]
  if (signed !== undefined) return signed
  const presigned = PRESIGNED_SCOPE.exec(asked.url ?? '')?.[0]
  return presigned?.split(/%2F/i).at(-2) ?? 's3'
}

/** `form` is the body of a query request. */
export const actionOf = (asked: IncomingMessage, form: string): Action => {
  const service = serviceOf(asked)
  const target = asked.headers['x-amz-target']
  if (typeof target === 'string') return { service, name: target.split('.').at(-1) ?? 'Unknown', protocol: 'json' }
  const rpc = /^\/service\/[^/]+\/operation\/([^/?]+)/.exec(asked.url ?? '')?.[1]
  if (rpc !== undefined) return { service, name: rpc, protocol: 'json' }
  if (isQuery(asked)) return { service, name: new URLSearchParams(form).get('Action') ?? 'Unknown', protocol: 'query' }
  if (service === 'lambda') return { service, name: lambdaAction(asked), protocol: 'lambda' }
  return { service, name: s3Action(asked), protocol: 's3' }
}

const LAMBDA_ACTIONS: readonly (readonly [string, RegExp, string])[] = [
  ['POST', /\/functions\/[^/]+\/invocations$/, 'Invoke'],
  ['GET', /\/functions\/[^/]+$/, 'GetFunction'],
  ['DELETE', /\/functions\/[^/]+$/, 'DeleteFunction'],
  ['GET', /\/functions$/, 'ListFunctions'],
  ['POST', /\/functions$/, 'CreateFunction'],
  ['PUT', /\/functions\/[^/]+\/code$/, 'UpdateFunctionCode'],
  ['GET', /\/functions\/[^/]+\/configuration$/, 'GetFunctionConfiguration'],
  ['PUT', /\/functions\/[^/]+\/configuration$/, 'UpdateFunctionConfiguration'],
  ['PUT', /\/functions\/[^/]+\/concurrency$/, 'PutFunctionConcurrency'],
  ['GET', /\/functions\/[^/]+\/concurrency$/, 'GetFunctionConcurrency'],
  ['DELETE', /\/functions\/[^/]+\/concurrency$/, 'DeleteFunctionConcurrency'],
  ['POST', /\/functions\/[^/]+\/versions$/, 'PublishVersion'],
  ['GET', /\/account-settings$/, 'GetAccountSettings'],
  ['GET', /\/tags\//, 'ListTags'],
  ['POST', /\/tags\//, 'TagResource'],
]

const lambdaAction = ({ method, url }: IncomingMessage): string => {
  const path = (url ?? '').split('?')[0]?.replace(/\/$/, '') ?? ''
  return LAMBDA_ACTIONS.find(([verb, pattern]) => verb === method && pattern.test(path))?.[2] ?? 'Unknown'
}

const s3Action = (asked: IncomingMessage): string => {
  const { pathname, searchParams } = new URL(asked.url ?? '/', 'http://s3')
  const has = (name: string): boolean => searchParams.has(name)
  const isBucket = pathname.split('/').filter(Boolean).length < 2
  switch (asked.method) {
    case 'GET':
      if (has('list-type')) return 'ListObjectsV2'
      if (has('versions')) return 'ListObjectVersions'
      if (has('uploads')) return 'ListMultipartUploads'
      return isBucket ? 'GetBucket' : 'GetObject'
    case 'HEAD':
      return isBucket ? 'HeadBucket' : 'HeadObject'
    case 'PUT':
      if (has('partNumber')) return 'UploadPart'
      if (asked.headers['x-amz-copy-source'] !== undefined) return 'CopyObject'
      return isBucket ? 'PutBucket' : 'PutObject'
    case 'POST':
      if (has('delete')) return 'DeleteObjects'
      if (has('uploads')) return 'CreateMultipartUpload'
      return has('uploadId') ? 'CompleteMultipartUpload' : 'PostObject'
    case 'DELETE':
      if (has('uploadId')) return 'AbortMultipartUpload'
      return isBucket ? 'DeleteBucket' : 'DeleteObject'
    default:
      return 'Unknown'
  }
}
