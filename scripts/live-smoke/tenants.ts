import { z } from 'zod'
import { type BerthId, berthIdSchema } from '../../src/domain/ids.ts'
import { type Caller, type EmbeddedServer, untilAnswered, type Waiting } from './embedded-server.ts'

export interface SmokeTenant {
  readonly id: string
  readonly berthId: BerthId
  readonly call: Caller
  /** @throws when it does not print that. Waits for what is only on its way. */
  run(
    program: { readonly language: string; readonly code: string; readonly files?: readonly string[] },
    prints: string,
  ): Promise<void>
}

export type Patience = Pick<Waiting, 'clock' | 'say' | 'signal'>

/** A stack takes about a minute, more when AWS throttles. */
const READY_MS = 10 * 60_000

const runSchema = z.object({ status: z.string(), logs: z.object({ stdout: z.string() }) })
const meSchema = z.object({ tenant: z.object({ id: z.string() }), berth: z.object({ id: berthIdSchema }) })

const runWith =
  (call: Caller, patience: Patience): SmokeTenant['run'] =>
  async (program, prints) => {
    const ask = () => call('POST', '/v1/runs', { json: program })
    const answer = await untilAnswered(ask, { ...patience, wanted: 200, later: [429, 503], withinMs: READY_MS })
    const { status, logs } = runSchema.parse(JSON.parse(answer.text))
    if (status !== 'succeeded' || !logs.stdout.includes(prints))
      throw new Error(`a run ended so: ${answer.text.slice(0, 500)}`)
  }

/** The first run signs the user up and waits for the berth. */
export const signUp = async (server: EmbeddedServer, uid: string, patience: Patience): Promise<SmokeTenant> => {
  const call = server.as(uid)
  const run = runWith(call, { ...patience, say: (line) => patience.say(`${uid}: ${line}`) })
  await run({ language: 'python', code: 'print(6 * 7)' }, '42')
  const me = meSchema.parse(JSON.parse((await call('GET', '/v1/me')).text))
  return { id: me.tenant.id, berthId: me.berth.id, call, run }
}
