import { z } from 'zod'
import { BerthError, isBerthError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports/clock.ts'
import { type Wanted, wantedImageSchema } from '../domain/wanted-image.ts'
import { awsError } from './aws-errors.ts'
import type { Cell } from './cell.ts'
import { type ContestedParameter, createContestedParameter, type Held, MAX_VALUE_BYTES } from './contested-parameter.ts'

/** Long enough that a thousand sign-ups read it once a few seconds, short enough that a berth made in a rollout is hardly ever old. */
const TTL_MS = 5000
/** Of any number who write at once one is done each time, so this many are. */
const MAX_TRIES = 30
const operation = 'PutParameter'

export interface WantedImage {
  /** Null before the first image. Remembered for a few seconds. @throws {BerthError} config_invalid, backend_unavailable */
  read(options: { signal: AbortSignal }): Promise<Wanted | null>
  /** Whatever was there. @throws {BerthError} config_invalid, backend_unavailable */
  write(wanted: Wanted, options: { signal: AbortSignal }): Promise<void>
  /**
   * Reads what is there now, and writes what `change` makes of it; again, of what somebody else has written meanwhile. @throws {BerthError} as
   * `write`; conflict when somebody else was first too often
   */
  change(change: (present: Wanted | null) => Wanted, options: { signal: AbortSignal }): Promise<Wanted>
}

/** The image that every berth of the cell should run: one SSM parameter. */
export const createWantedImage = (cell: Cell, clock: Pick<Clock, 'monotonicMs'>): WantedImage => {
  const parameter = createContestedParameter(cell.clients.ssm, cell.foundation.wantedImageParameter)
  let known: { readonly wanted: Promise<Wanted | null>; readonly atMs: number } | null = null

  const read = (signal: AbortSignal): Promise<Wanted | null> => {
    signal.throwIfAborted()
    if (known !== null && clock.monotonicMs() - known.atMs < TTL_MS) return known.wanted
    // Without the caller's signal: others wait for the same answer.
    const asked = { wanted: load(cell, parameter).then((held) => wantedOf(cell, held)), atMs: clock.monotonicMs() }
    known = asked
    asked.wanted.catch(() => {
      if (known === asked) known = null
    })
    return asked.wanted
  }

  const change = async (make: (present: Wanted | null) => Wanted, signal: AbortSignal): Promise<Wanted> => {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const held = await load(cell, parameter)
      const wanted = make(wantedOf(cell, held))
      const value = valueOf(cell, wanted)
      const tookEffect = await refused(cell, { operation, signal }, parameter.replace(held, value, { signal }))
      known = null
      if (tookEffect) return wanted
    }
    throw new BerthError(
      'conflict',
      `Somebody else changed the wanted image of cell ${cell.name} ${MAX_TRIES} times; try again`,
    )
  }

  return {
    read: async ({ signal }) => read(signal),
    write: async (wanted, { signal }) => {
      await refused(cell, { operation, signal }, parameter.put(valueOf(cell, wanted), { signal }))
      known = null
    },
    change: async (make, { signal }) => change(make, signal),
  }
}

const load = async (cell: Cell, parameter: ContestedParameter): Promise<Held> => {
  const held = await refused(cell, { operation: 'GetParameter' }, parameter.read())
  if (held === null) throw invalid(cell, 'it does not exist; run `berth init`')
  return held
}

const wantedOf = (cell: Cell, { value }: Held): Wanted | null => {
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) return null
  const parsed = wantedImageSchema.safeParse(value)
  if (!parsed.success) throw invalid(cell, z.prettifyError(parsed.error))
  return parsed.data
}

const refused = async <T>(
  cell: Cell,
  { operation, signal }: { operation: string; signal?: AbortSignal },
  work: Promise<T>,
): Promise<T> => {
  try {
    return await work
  } catch (error) {
    signal?.throwIfAborted()
    if (isBerthError(error)) throw error
    if (error instanceof SyntaxError) throw invalid(cell, 'expected JSON {"image","version","fence"} or {}', error)
    throw awsError(error, { cell: cell.name, operation })
  }
}

/** Names of berths that could not be updated give way; how many there are stays. @throws {BerthError} config_invalid */
const valueOf = (cell: Cell, wanted: Wanted): Wanted => {
  const { data, error } = wantedImageSchema.safeParse(wanted)
  if (data === undefined) throw invalid(cell, z.prettifyError(error))
  assertOwnRepository(cell, data)
  if (bytesOf(data) <= MAX_VALUE_BYTES) return data
  const short = data.failed === undefined ? data : { ...data, failed: { ...data.failed, reasons: [] } }
  const bytes = bytesOf(short)
  if (bytes <= MAX_VALUE_BYTES) return short
  throw invalid(cell, `expected at most ${MAX_VALUE_BYTES} bytes, got ${bytes}; take pins out`)
}

const bytesOf = (wanted: Wanted): number => Buffer.byteLength(JSON.stringify(wanted))

/** Lambda takes images of its own Region only, and the foundation's repository is the one that never expires an image in use. */
const assertOwnRepository = (cell: Cell, { image, candidate }: Wanted): void => {
  const { repositoryUri } = cell.foundation
  const foreign = [image, candidate?.image ?? image].find((one) => !one.startsWith(`${repositoryUri}@`))
  if (foreign !== undefined) throw invalid(cell, `expected an image of ${repositoryUri}, got ${foreign}`)
}

const invalid = (cell: Cell, what: string, cause?: unknown): BerthError => {
  const detail = `Parameter ${cell.foundation.wantedImageParameter} of cell ${cell.name}: ${what}`
  return new BerthError('config_invalid', detail, { cause })
}
