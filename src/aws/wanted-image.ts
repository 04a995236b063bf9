import { GetParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm'
import { z } from 'zod'
import { BerthError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports/clock.ts'
import { type Wanted, wantedImageSchema } from '../domain/wanted-image.ts'
import { awsError, isNotFound } from './aws-errors.ts'
import type { Cell } from './cell.ts'

/** Long enough that a thousand sign-ups read it once a few seconds, short enough that a berth made in a rollout is hardly ever old. */
const TTL_MS = 5000

export interface WantedImage {
  /** Null before the first image. Remembered for a few seconds. @throws {BerthError} config_invalid, backend_unavailable */
  read(options: { signal: AbortSignal }): Promise<Wanted | null>
  /** @throws {BerthError} config_invalid, backend_unavailable */
  write(wanted: Wanted, options: { signal: AbortSignal }): Promise<void>
  /** Reads what is there now, and writes what `change` makes of it. The last of two who write at once wins. @throws {BerthError} as `write` */
  change(change: (present: Wanted | null) => Wanted, options: { signal: AbortSignal }): Promise<Wanted>
}

/** The image that every berth of the cell should run: one SSM parameter. */
export const createWantedImage = (cell: Cell, clock: Pick<Clock, 'monotonicMs'>): WantedImage => {
  let known: { readonly wanted: Promise<Wanted | null>; readonly atMs: number } | null = null

  const read = (signal: AbortSignal): Promise<Wanted | null> => {
    signal.throwIfAborted()
    if (known !== null && clock.monotonicMs() - known.atMs < TTL_MS) return known.wanted
    // Without the caller's signal: others wait for the same answer.
    const asked = { wanted: load(cell), atMs: clock.monotonicMs() }
    known = asked
    asked.wanted.catch(() => {
      if (known === asked) known = null
    })
    return asked.wanted
  }

  const write = async (wanted: Wanted, signal: AbortSignal): Promise<void> => {
    const parsed = wantedImageSchema.safeParse(wanted)
    if (!parsed.success) throw invalid(cell, z.prettifyError(parsed.error))
    assertOwnRepository(cell, parsed.data)
    await store(cell, parsed.data, signal)
    known = null
  }

  return {
    read: async ({ signal }) => read(signal),
    write: async (wanted, { signal }) => write(wanted, signal),
    change: async (change, { signal }) => {
      const wanted = change(await load(cell))
      await write(wanted, signal)
      return wanted
    },
  }
}

const load = async (cell: Cell): Promise<Wanted | null> => {
  const Name = cell.foundation.wantedImageParameter
  const answer = await cell.clients.ssm.send(new GetParameterCommand({ Name })).catch((error: unknown) => {
    if (isNotFound(error)) throw invalid(cell, 'it does not exist; run `berth init`')
    throw awsError(error, { cell: cell.name, operation: 'GetParameter' })
  })
  const value = parseJson(cell, answer.Parameter?.Value ?? '')
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) return null
  const parsed = wantedImageSchema.safeParse(value)
  if (!parsed.success) throw invalid(cell, z.prettifyError(parsed.error))
  return parsed.data
}

/** What a parameter of the standard tier holds (AWS Systems Manager quotas, checked 2026-11-22). */
const MAX_BYTES = 4096

/** Names of berths that could not be updated give way; how many there are stays. */
const textOf = (wanted: Wanted): string => {
  const whole = JSON.stringify(wanted)
  if (wanted.failed === undefined || Buffer.byteLength(whole) <= MAX_BYTES) return whole
  return JSON.stringify({ ...wanted, failed: { ...wanted.failed, reasons: [] } })
}

const store = async (cell: Cell, wanted: Wanted, signal: AbortSignal): Promise<void> => {
  const Value = textOf(wanted)
  if (Buffer.byteLength(Value) > MAX_BYTES)
    throw invalid(cell, `expected at most ${MAX_BYTES} bytes, got ${Buffer.byteLength(Value)}; take pins out`)
  const command = new PutParameterCommand({
    Name: cell.foundation.wantedImageParameter,
    Value,
    Type: 'String',
    Overwrite: true,
  })
  await cell.clients.ssm.send(command, { abortSignal: signal }).catch((error: unknown) => {
    signal.throwIfAborted()
    throw awsError(error, { cell: cell.name, operation: 'PutParameter' })
  })
}

/** Lambda takes images of its own Region only, and the foundation's repository is the one that never expires an image in use. */
const assertOwnRepository = (cell: Cell, { image, candidate }: Wanted): void => {
  const { repositoryUri } = cell.foundation
  const foreign = [image, candidate?.image ?? image].find((one) => !one.startsWith(`${repositoryUri}@`))
  if (foreign !== undefined) throw invalid(cell, `expected an image of ${repositoryUri}, got ${foreign}`)
}

const parseJson = (cell: Cell, text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw invalid(cell, 'expected JSON {"image","version","fence"} or {}', error)
  }
}

const invalid = (cell: Cell, what: string, cause?: unknown): BerthError => {
  const detail = `Parameter ${cell.foundation.wantedImageParameter} of cell ${cell.name}: ${what}`
  return new BerthError('config_invalid', detail, { cause })
}
