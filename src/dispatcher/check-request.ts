import { BerthError, type FieldError } from '../domain/errors.ts'
import type { RunLimits } from '../domain/limits.ts'
import type { DispatchCapabilities, DispatchRequest } from '../domain/ports/dispatch.ts'
import type { RunRequest } from '../domain/run.ts'
import { profileCeilings, type ProfileCeilings } from './profile-ceilings.ts'

/** More than what a request has besides code, files and variables. */
const ENVELOPE_BYTES = 4096

export interface RequestCeilings {
  readonly limits: RunLimits
  readonly maxTimeoutMs: number
  readonly maxMemoryMiB: number
}

/**
 * The limits that this run gets.
 * @throws {BerthError} source_too_large, unsupported, invalid_request
 */
export const checkRequest = (
  request: RunRequest,
  ceilings: RequestCeilings,
  capabilities: Pick<DispatchCapabilities, 'files'>,
): RunLimits => {
  assertSource(request.code, ceilings.limits.maxSourceBytes)
  if (request.files.length > 0 && !capabilities.files)
    throw new BerthError('unsupported', 'this backend gives runs no files; leave `files` out')
  const profile = profileCeilings[request.profile]
  const limits = limitsOf(request, ceilings, profile)
  const errors = [
    ...overLimit('timeoutMs', limits.timeoutMs, Math.min(ceilings.maxTimeoutMs, profile.timeoutMs)),
    ...overLimit('memoryMiB', limits.memoryMiB, Math.min(ceilings.maxMemoryMiB, profile.memoryMiB)),
    ...(profile.takesFiles ? [] : overLimit('files', request.files.length, 0)),
  ]
  if (errors.length > 0) {
    const where = request.profile === 'default' ? '' : ` (profile ${request.profile})`
    throw new BerthError('invalid_request', `${errors.map(({ detail }) => detail).join('; ')}${where}`, { errors })
  }
  return limits
}

const assertSource = (code: string, maxSourceBytes: number): void => {
  // UTF-8 takes one to three bytes per UTF-16 unit, so most sources need no counting.
  if (code.length * 3 <= maxSourceBytes) return
  const bytes = Buffer.byteLength(code)
  if (bytes > maxSourceBytes)
    throw new BerthError(
      'source_too_large',
      `expected at most ${maxSourceBytes} bytes of UTF-8 in \`code\`, got ${bytes}`,
    )
}

const limitsOf = (
  { timeoutMs, memoryMiB }: RunRequest,
  { limits, ...max }: RequestCeilings,
  profile: ProfileCeilings,
): RunLimits => ({
  ...limits,
  ...profile.limits,
  timeoutMs: timeoutMs ?? Math.min(limits.timeoutMs, profile.timeoutMs, max.maxTimeoutMs),
  memoryMiB: memoryMiB ?? Math.min(limits.memoryMiB, profile.memoryMiB, max.maxMemoryMiB),
})

const overLimit = (field: string, got: number, max: number): readonly FieldError[] =>
  got > max ? [{ pointer: `/${field}`, detail: `expected \`${field}\` of at most ${max}, got ${got}` }] : []

/** @throws {BerthError} payload_too_large */
export const assertPayload = (request: DispatchRequest): void => {
  const { maxPayloadBytes } = request.limits
  if (isSurelyBelow(request, maxPayloadBytes)) return
  const bytes = Buffer.byteLength(JSON.stringify(request))
  if (bytes <= maxPayloadBytes) return
  const detail = `expected code and variables of at most ${maxPayloadBytes} bytes together, got ${bytes}`
  throw new BerthError('payload_too_large', detail)
}

/** JSON takes six bytes per UTF-16 unit at most, so a short program without variables need not be written out to be measured. */
const isSurelyBelow = ({ code, files, variables }: DispatchRequest, maxBytes: number): boolean =>
  files.length === 0 && Object.keys(variables).length === 0 && code.length * 6 + ENVELOPE_BYTES <= maxBytes
