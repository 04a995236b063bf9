import { GetParameterCommand, PutParameterCommand, type SSMClient } from '@aws-sdk/client-ssm'
import { z } from 'zod'
import { BerthError } from '../domain/errors.ts'
import { isNotFound } from './aws-errors.ts'

/** A JSON object, and the version of the parameter that it was read from. */
export interface Held {
  readonly version: number
  readonly value: unknown
}

interface Attempt extends Held {
  /** The version that whoever wrote this had read. Null when they did not look: what they wrote counts in any case. */
  readonly basedOn: number | null
}

export interface ContestedParameter {
  /** What took effect last. Null when there is no such parameter. @throws {BerthError} backend_unavailable; the SDK's errors, SyntaxError */
  read(): Promise<Held | null>
  /** True when it took effect: nothing else did since what it is made from was read. @throws as `read` */
  replace(before: Held, value: object, options: { signal: AbortSignal }): Promise<boolean>
  /** In any case, and without a look at what is there. @throws the SDK's errors */
  put(value: object, options: { signal: AbortSignal }): Promise<void>
}

/** Of the 4096 that a parameter of the standard tier holds (AWS Systems Manager quotas, checked 2026-11-22), 32 tell what it was made from. */
export const MAX_VALUE_BYTES = 4096 - 32

const basis = z.object({ basedOn: z.int().min(1) })

/**
 * A parameter that several may change at once, though SSM has no compare-and-set. Every write is a version of its own, one higher than the one
 * before, and says which version it was made from. It takes effect only when nothing took effect between the two, which everybody who reads the
 * versions can tell, and tells alike. Versions stay for the next 99 writes (Parameter Store user guide, parameter versions).
 */
export const createContestedParameter = (ssm: SSMClient, name: string): ContestedParameter => {
  const fetchAt = async (version: number | null): Promise<Attempt | null> => {
    const Name = version === null ? name : `${name}:${version}`
    const answer = await ssm.send(new GetParameterCommand({ Name })).catch((error: unknown) => {
      if (isNotFound(error)) return null
      throw error
    })
    return answer === null ? null : attemptOf(answer.Parameter?.Version ?? 1, answer.Parameter?.Value ?? '')
  }

  const lastEffective = async (last: Attempt): Promise<Held> => {
    const later: Attempt[] = []
    let sure = last
    while (!isSure(sure)) {
      later.unshift(sure)
      const before = await fetchAt(sure.version - 1)
      if (before === null) throw notReadable(name, sure.version - 1)
      sure = before
    }
    const { version, value } = later.reduce(
      (held, attempt) => (attempt.basedOn === held.version ? attempt : held),
      sure,
    )
    return { version, value }
  }

  const send = async (value: object, signal: AbortSignal): Promise<number> => {
    const command = new PutParameterCommand({
      Name: name,
      Value: JSON.stringify(value),
      Type: 'String',
      Overwrite: true,
    })
    const { Version = 1 } = await ssm.send(command, { abortSignal: signal })
    return Version
  }

  return {
    read: async () => {
      const last = await fetchAt(null)
      return last === null ? null : lastEffective(last)
    },
    replace: async ({ version }, value, { signal }) => {
      const written = await send({ ...value, basedOn: version }, signal)
      const effective = await lastEffective({ version: written, value, basedOn: version })
      return effective.version === written
    },
    put: async (value, { signal }) => void (await send(value, signal)),
  }
}

/** To take it for one that took no effect could lose a change. */
const notReadable = (name: string, version: number): BerthError =>
  new BerthError('backend_unavailable', `Version ${version} of parameter ${name} cannot be read yet; try again`)

/** Nobody bases a write on one that took no effect, and between neighbours nothing can have taken effect. */
const isSure = ({ version, basedOn }: Attempt): boolean => basedOn === null || basedOn >= version - 1

const attemptOf = (version: number, text: string): Attempt => {
  const value: unknown = JSON.parse(text)
  const { data } = basis.safeParse(value)
  if (data === undefined) return { version, value, basedOn: null }
  const { basedOn, ...rest } = value as Record<string, unknown> & { basedOn: number }
  return { version, value: rest, basedOn }
}
