// @module-tag aws-local
import { DeleteParameterCommand, GetParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { CellClients } from '../../src/aws/cell.ts'
import { createCellClients } from '../../src/aws/clients.ts'
import { createContestedParameter, type Held } from '../../src/aws/contested-parameter.ts'
import { codeOf, quiet } from '../contract/content.ts'
import { type AwsLocal, startAwsLocal } from '../support/aws-local.ts'
import { setVariables } from '../support/set-variables.ts'

const NAME = '/contested/parameter'
const signal = quiet()
const parts = new AsyncDisposableStack()
let aws: AwsLocal
let ssm: CellClients['ssm']
beforeAll(async () => {
  aws = parts.use(await startAwsLocal())
  parts.use(setVariables(aws.env))
  ssm = parts.use(createCellClients({ region: aws.region, deployment: 'berth' })).ssm
})
afterAll(() => parts.disposeAsync())
beforeEach(() => writeByHand('{}'))

const writeByHand = (Value: string) =>
  ssm.send(new PutParameterCommand({ Name: NAME, Value, Type: 'String', Overwrite: true }))

const open = () => createContestedParameter(ssm, NAME)

/** As the console shows it. */
const shown = async (): Promise<unknown> => {
  const { Parameter } = await ssm.send(new GetParameterCommand({ Name: NAME }))
  return JSON.parse(Parameter?.Value ?? '')
}

const held = async (): Promise<Held> => {
  const found = await open().read()
  if (found === null) throw new Error('the parameter is not there')
  return found
}

test('of two that were made from one version the first takes effect, whatever stands there last', async () => {
  const before = await held()

  const first = await open().replace(before, { fence: 7 }, { signal })
  const second = await open().replace(before, { image: 'b' }, { signal })

  expect([first, second]).toEqual([true, false])
  expect(await shown()).toMatchObject({ image: 'b' })
  expect(await open().read()).toEqual({ version: before.version + 1, value: { fence: 7 } })
})

test('what is made from the one that took effect takes effect, however many in between did not', async () => {
  const before = await held()
  await open().replace(before, { step: 1 }, { signal })
  const after = await held()
  for (const late of ['x', 'y', 'z']) await open().replace(before, { late }, { signal })

  expect(await open().replace(after, { step: 2 }, { signal })).toBe(true)
  expect(await open().replace(after, { step: 3 }, { signal })).toBe(false)
  expect((await held()).value).toEqual({ step: 2 })
})

test('what somebody writes by hand counts, and nothing that was made from before it', async () => {
  const before = await held()
  await writeByHand('{"by":"hand"}')

  expect(await open().replace(before, { by: 'berth' }, { signal })).toBe(false)
  expect((await held()).value).toEqual({ by: 'hand' })
})

test('an end that was cut off before its answer came is told by those who look afterwards', async () => {
  const before = await held()
  // Its writer never learns of it, and the SDK sends it again.
  await writeByHand(JSON.stringify({ step: 1, basedOn: before.version }))
  const again = await open().replace(before, { step: 1 }, { signal })

  expect(again).toBe(false)
  expect(await held()).toEqual({ version: before.version + 1, value: { step: 1 } })
})

test('a version that cannot be read yet is not taken for one that took no effect', async () => {
  const before = await held()
  await open().replace(before, { step: 1 }, { signal })
  const error = { status: 400, code: 'ParameterVersionNotFound', message: 'not yet' }
  aws.control.fault({ kind: 'error', action: 'GetParameter', error })

  const late = await codeOf(open().replace(before, { late: true }, { signal }))

  expect(late).toBe('backend_unavailable')
  expect((await held()).value).toEqual({ step: 1 })
})

test('one that was taken away and put back by hand is as it was put back', async () => {
  await open().replace(await held(), { step: 1 }, { signal })
  const text = JSON.stringify(await shown())
  await ssm.send(new DeleteParameterCommand({ Name: NAME }))
  expect(await open().read()).toBeNull()

  await writeByHand(text)

  expect((await held()).value).toEqual({ step: 1 })
  expect(await open().replace(await held(), { step: 2 }, { signal })).toBe(true)
})

const numbersOf = ({ value }: Held): number[] => (value as { numbers?: number[] }).numbers ?? []
const withNumber = (before: Held, number: number) => ({ numbers: [...numbersOf(before), number] })
const numbers = [0, 1, 2, 3, 4]

test('of five who change it at once nobody is lost', async () => {
  const first = await held()
  const add = async (number: number): Promise<void> => {
    let before = first
    while (!(await open().replace(before, withNumber(before, number), { signal }))) before = await held()
  }

  await Promise.all(numbers.map(add))

  expect(new Set(numbersOf(await held()))).toEqual(new Set(numbers))
})

test('a control shows that without it all but one are lost', async () => {
  const first = await held()

  await Promise.all(numbers.map((number) => open().put(withNumber(first, number), { signal })))

  expect(numbersOf(await held())).toHaveLength(1)
})
