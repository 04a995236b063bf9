import { errorTable } from '../../domain/error-table.ts'
import { BerthError } from '../../domain/errors.ts'
import type { RunLimits } from '../../domain/limits.ts'
import { parsePlacePath } from '../../domain/place-path.ts'
import type { RunnerReply } from '../../domain/runner-protocol.ts'
import { findSizeFault } from './size-fault.ts'

/** A result frame has so many bytes more for an error and its traceback. */
const ERROR_UNITS = 64 * 1024
/** Levels of lists and objects; the runner itself refuses results of more than 108. */
const MAX_DEPTH = 128
/** What a reply says beside results, output and artifacts; and of each artifact. */
const ENVELOPE = 32 * 1024
const PER_ARTIFACT = 1024 + 8
/** The shortest JSON of a result and of a column. */
const LEAST_RESULT = 16
const LEAST_COLUMN = 24

const malformed = (problem: string): BerthError =>
  new BerthError('malformed_reply', "The runner's reply is none that a runner gives", { data: { problem } })

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null
const lengthOf = (value: unknown): number => (Array.isArray(value) ? value.length : 0)
const columnsOf = (result: unknown): unknown =>
  isObject(result) && isObject(result['table']) ? result['table']['columns'] : undefined

/**
 * For what has not been parsed yet: a schema tells of every single fault, and six megabytes of faults would keep the server from
 * everything else for half a minute. Nothing that an honest runner within these limits sends is refused.
 * @throws {BerthError} malformed_reply
 */
export const assertParsable = (answer: unknown, limits: RunLimits): void => {
  const { maxResultBytes, maxOutputBytes, maxArtifacts, maxInlineArtifactBytes } = limits
  const base64 = Math.ceil(maxInlineArtifactBytes / 3) * 4 + maxArtifacts * 4
  const most = {
    depth: MAX_DEPTH,
    size: maxResultBytes + ERROR_UNITS + maxOutputBytes + base64 + maxArtifacts * PER_ARTIFACT + ENVELOPE,
  }
  const fault = findSizeFault(answer, most)
  if (fault !== null) throw malformed(fault)
  const results = isObject(answer) && Array.isArray(answer['results']) ? answer['results'] : []
  const columns = results.reduce<number>((sum, result) => sum + lengthOf(columnsOf(result)), 0)
  const artifacts = isObject(answer) ? lengthOf(answer['artifacts']) : 0
  if (results.length * LEAST_RESULT > maxResultBytes || columns * LEAST_COLUMN > maxResultBytes)
    throw malformed('more results than the limit of their bytes has room for')
  if (artifacts > maxArtifacts) throw malformed('more artifacts than the limit')
}

const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u
const isName = (name: string): boolean => {
  try {
    // What the name means does not hang on whose run it is.
    parsePlacePath({ area: 'run' } as Parameters<typeof parsePlacePath>[0], name)
    return !invisible.test(name)
  } catch {
    return false
  }
}

type Artifact = RunnerReply['artifacts'][number]

const faultOfArtifact = ({ name, mime, bytes, sha256, content, stored }: Artifact): string | null => {
  if (!isName(name)) return 'an artifact has a name that is none'
  if (!/^[\w.+-]+\/[\w.+-]+$/.test(mime) || mime.length > 128) return 'an artifact has a type that is none'
  if (!/^[0-9a-f]{64}$/.test(sha256)) return 'an artifact has a digest that is none'
  if (content === null) return stored ? null : 'an artifact is neither here nor kept'
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(content) || Buffer.byteLength(content, 'base64') !== bytes)
    return 'an artifact has other bytes than it says'
  return null
}

const sumOf = (artifacts: readonly Artifact[]): number => artifacts.reduce((sum, { bytes }) => sum + bytes, 0)

const faultOfArtifacts = (artifacts: readonly Artifact[], limits: RunLimits): string | null => {
  if (new Set(artifacts.map(({ name }) => name)).size < artifacts.length) return 'two artifacts have one name'
  if (sumOf(artifacts) > limits.maxArtifactBytes) return 'artifacts of more bytes than the limit'
  const inline = artifacts.filter(({ content }) => content !== null)
  if (sumOf(inline) > limits.maxInlineArtifactBytes) return 'artifacts of more bytes in the reply than the limit'
  for (const artifact of artifacts) {
    const fault = faultOfArtifact(artifact)
    if (fault !== null) return fault
  }
  return null
}

/** A run that took place never ends with an error of the platform that others repeat; the runner's own breakdown is one that code can cause. */
const isEnding = (code: RunnerReply['outcome']['code']): boolean =>
  code === null || code === 'runner_failed' || errorTable[code].status === 200

const levels = new Set(['namespaces', 'bubblewrap', 'guard'])

const faultOf = (reply: RunnerReply, limits: RunLimits): string | null => {
  const { outcome, results, logs, error, runner } = reply
  if (!isEnding(outcome.code)) return 'no run ends with this code'
  if (outcome.detail.length > ENVELOPE / 2) return 'the detail is too long'
  if (!levels.has(runner.level) || runner.image.length > 512) return 'the runner is none'
  if (logs.stdout.length + logs.stderr.length > limits.maxOutputBytes) return 'more output than the limit'
  if (findSizeFault(results, { depth: MAX_DEPTH, size: limits.maxResultBytes }) !== null)
    return 'results of more bytes than the limit'
  if (findSizeFault(error, { depth: 2, size: limits.maxResultBytes + ERROR_UNITS }) !== null)
    return 'an error of more bytes than the limit'
  return faultOfArtifacts(reply.artifacts, limits)
}

const MAX_FIGURE = 1e9
/** A figure that no run has is as good as none; it must not end in sums over all runs. */
const clamped = <T extends Readonly<Record<string, number>>>(figures: T): T =>
  Object.fromEntries(
    Object.entries(figures).map(([name, figure]) => [name, Math.min(Math.max(figure, 0), MAX_FIGURE)]),
  ) as T

/**
 * The reply, if a runner could have given it. Code that has got hold of its function answers what it likes: its own run may say
 * anything within the limits, and nothing beyond.
 * @throws {BerthError} malformed_reply
 */
export const plausibleReply = (reply: RunnerReply, limits: RunLimits): RunnerReply => {
  const fault = faultOf(reply, limits)
  if (fault !== null) throw malformed(fault)
  return { ...reply, usage: clamped(reply.usage), timings: clamped(reply.timings) }
}
