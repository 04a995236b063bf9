import { type Answer, errorAnswer } from './answer.ts'
import type { Control, FunctionState, Switches } from './control.ts'
import type { Fault } from './faults.ts'
import type { ImageContent, Images } from './images.ts'

interface Wanted {
  readonly switches?: Partial<Switches>
  readonly functionState?: FunctionState
  readonly fault?: Fault
  readonly clearFaults?: boolean
  /** What the image of a digest (`sha256:…`) holds. */
  readonly image?: { readonly digest: string; readonly content: ImageContent }
}

/** The control for whoever is not in this process: `POST /_aws-local/control` with a JSON object; answers what was asked so far. */
export const createControlAnswers =
  (control: Control, images: Images) =>
  async (body: Buffer): Promise<Answer> => {
    try {
      const wanted = JSON.parse(body.toString() || '{}') as Wanted
      if (wanted.switches !== undefined) await control.set(wanted.switches)
      if (wanted.functionState !== undefined) await control.setFunctionState(wanted.functionState)
      if (wanted.fault !== undefined) control.fault(wanted.fault)
      if (wanted.image !== undefined) await images.register(wanted.image.digest, wanted.image.content)
      if (wanted.clearFaults === true) control.clearFaults()
      const state = { calls: await control.calls(), requests: control.requests() }
      return { status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(state)) }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      return errorAnswer('json', { status: 400, code: 'ValidationException', message })
    }
  }
