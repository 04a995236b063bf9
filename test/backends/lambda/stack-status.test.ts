import { StackStatus as AwsStackStatus } from '@aws-sdk/client-cloudformation'
import { array, assert, asyncProperty, constantFrom } from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Cell } from '../../../src/aws/cell.ts'
import { createPacer } from '../../../src/aws/pacer.ts'
import { ensureStack } from '../../../src/backends/lambda/create-stack.ts'
import { berthTags } from '../../../src/backends/lambda/stack-template.ts'
import type { StackCalls } from '../../../src/backends/lambda/stack-calls.ts'
import type { Asked, StackView } from '../../../src/backends/lambda/stack-reads.ts'
import { removeStack } from '../../../src/backends/lambda/stack-removal.ts'
import { isSettled, phaseOf, phases, type StackStatus } from '../../../src/backends/lambda/stack-status.ts'
import type { BerthId } from '../../../src/domain/ids.ts'
import { codeOf, quiet } from '../../contract/content.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

const berthId = 'baaaaaaaaaaaaaaa' as BerthId
const asked: Asked = { priority: 'signUp', signal: quiet() }
const statuses = Object.keys(phases) as StackStatus[]
const pacer = createPacer({ clock: createVirtualClock() })
// No request leaves this test; what the emulator cannot be brought into, a model of CloudFormation can.
const cell = { name: 'home', deployment: 'berth', pacer } as unknown as Cell

interface Model {
  status: StackStatus | null
  readonly steps: string[]
}

/** How each change ends, in turn; then everything goes well. */
type Luck = 'well' | 'badly' | 'vanishes'

/** CloudFormation as its documentation says that it moves from status to status. */
const createModel = (initial: StackStatus | null, luck: readonly Luck[]) => {
  const model: Model = { status: initial, steps: [] }
  const left = [...luck]
  const draw = (): Luck => left.shift() ?? 'well'
  const tags = new Map(berthTags('berth', berthId).map(({ Key = '', Value = '' }) => [Key, Value]))
  const view = (): StackView | null =>
    model.status === null || phaseOf(model.status) === 'gone'
      ? null
      : { id: 'id', name: 'berth-x', status: model.status, tags }
  const move = (step: string, status: StackStatus): void => {
    model.steps.push(`${step} from ${model.status}`)
    model.status = status
  }
  const ends: Partial<Record<StackStatus, Readonly<Record<Luck, StackStatus | null>>>> = {
    CREATE_IN_PROGRESS: { well: 'CREATE_COMPLETE', badly: 'ROLLBACK_COMPLETE', vanishes: null },
    ROLLBACK_IN_PROGRESS: { well: 'ROLLBACK_COMPLETE', badly: 'ROLLBACK_FAILED', vanishes: null },
    DELETE_IN_PROGRESS: { well: null, badly: 'DELETE_FAILED', vanishes: null },
    UPDATE_IN_PROGRESS: { well: 'UPDATE_COMPLETE', badly: 'UPDATE_ROLLBACK_COMPLETE', vanishes: null },
    UPDATE_ROLLBACK_IN_PROGRESS: { well: 'UPDATE_ROLLBACK_COMPLETE', badly: 'UPDATE_ROLLBACK_FAILED', vanishes: null },
    UPDATE_COMPLETE_CLEANUP_IN_PROGRESS: { well: 'UPDATE_COMPLETE', badly: 'UPDATE_COMPLETE', vanishes: null },
    UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS: {
      well: 'UPDATE_ROLLBACK_COMPLETE',
      badly: 'UPDATE_ROLLBACK_COMPLETE',
      vanishes: null,
    },
    IMPORT_IN_PROGRESS: { well: 'IMPORT_COMPLETE', badly: 'IMPORT_ROLLBACK_COMPLETE', vanishes: null },
    IMPORT_ROLLBACK_IN_PROGRESS: { well: 'IMPORT_ROLLBACK_COMPLETE', badly: 'IMPORT_ROLLBACK_FAILED', vanishes: null },
  }
  const calls: StackCalls = {
    named: () => 'berth-x',
    describe: async () => view(),
    create: async () => {
      if (view() !== null) return null
      move('create', 'CREATE_IN_PROGRESS')
      return 'id'
    },
    delete: async () => {
      if (phaseOf(model.status ?? 'DELETE_COMPLETE') === 'whole') model.steps.push('deleted a whole stack')
      move('delete', 'DELETE_IN_PROGRESS')
      return true
    },
    rollBack: async () => move('roll back', 'UPDATE_ROLLBACK_IN_PROGRESS'),
    update: async () => false,
    failureReason: async () => 'Function: the model said so',
    async *list() {},
  }
  const settled = async (): Promise<StackView | null> => {
    while (model.status !== null && !isSettled(phaseOf(model.status))) {
      const end = ends[model.status]
      if (end === undefined) throw new Error(`the model does not know how ${model.status} ends`)
      model.status = end[draw()]
    }
    return view()
  }
  // DELETE_FAILED asks IAM to free the role, which the model has not.
  const iam = { send: async () => Promise.reject(Object.assign(new Error('none'), { name: 'NoSuchEntity' })) }
  const clock = createVirtualClock()
  const modelCell = {
    ...cell,
    clients: { iam },
    pacer: createPacer({ clock, rates: { iam: free } }),
  } as unknown as Cell
  return { model, parts: { cell: modelCell, calls, watch: { settled } } }
}

const free = { perSecond: 1e6, burst: 1e6 }
const image = async () => 'image'

describe('statuses', () => {
  test('every status that the SDK knows has a meaning', () => {
    expect(statuses.toSorted()).toEqual(Object.values(AwsStackStatus).toSorted())
  })

  test.each([
    ['CREATE_COMPLETE', []],
    ['UPDATE_COMPLETE', []],
    ['UPDATE_ROLLBACK_COMPLETE', []],
    ['CREATE_IN_PROGRESS', []],
    ['UPDATE_IN_PROGRESS', []],
    ['UPDATE_FAILED', ['roll back from UPDATE_FAILED']],
    ['UPDATE_ROLLBACK_FAILED', ['roll back from UPDATE_ROLLBACK_FAILED']],
    ['DELETE_IN_PROGRESS', ['create from null']],
    ['DELETE_COMPLETE', ['create from DELETE_COMPLETE']],
    ['ROLLBACK_IN_PROGRESS', ['delete from ROLLBACK_COMPLETE', 'create from null']],
    ['ROLLBACK_COMPLETE', ['delete from ROLLBACK_COMPLETE', 'create from null']],
    ['ROLLBACK_FAILED', ['delete from ROLLBACK_FAILED', 'create from null']],
    ['CREATE_FAILED', ['delete from CREATE_FAILED', 'create from null']],
    ['DELETE_FAILED', ['delete from DELETE_FAILED', 'create from null']],
    ['REVIEW_IN_PROGRESS', ['delete from REVIEW_IN_PROGRESS', 'create from null']],
    ['IMPORT_ROLLBACK_FAILED', ['delete from IMPORT_ROLLBACK_FAILED', 'create from null']],
  ] as const)('from %s the stack is brought to whole by %j', async (initial, steps) => {
    const { model, parts } = createModel(initial, [])

    await ensureStack(parts, { berthId, image }, asked)

    expect(phaseOf(model.status ?? 'DELETE_COMPLETE')).toBe('whole')
    expect(model.steps).toEqual(steps)
  })
})

describe('whatever happens', () => {
  const luck = array(constantFrom<Luck>('well', 'badly', 'vanishes'), { maxLength: 12 })
  const initial = constantFrom<StackStatus | null>(null, ...statuses)

  test('a stack ends whole or with an error that says why, and a whole one is never deleted', async () => {
    await assert(
      asyncProperty(initial, luck, async (status, lot) => {
        const { model, parts } = createModel(status, lot)

        const code = await codeOf(ensureStack(parts, { berthId, image }, asked))

        const whole = phaseOf(model.status ?? 'DELETE_COMPLETE') === 'whole'
        expect(code === 'no error' ? whole : ['provisioning_failed', 'backend_unavailable'].includes(code)).toBe(true)
        expect(model.steps).not.toContain('deleted a whole stack')
      }),
      { numRuns: 500 },
    )
  })

  test('repeated until it succeeds, it ends whole, and a removal ends with nothing', async () => {
    await assert(
      asyncProperty(initial, luck, async (status, lot) => {
        const { model, parts } = createModel(status, lot)
        await untilDone(() => ensureStack(parts, { berthId, image }, asked))
        expect(phaseOf(model.status ?? 'DELETE_COMPLETE')).toBe('whole')

        await untilDone(async () => {
          const stack = await parts.calls.describe('berth-x', asked)
          if (stack !== null) await removeStack(parts, { berthId, stack }, asked)
        })
        expect(await parts.calls.describe('berth-x', asked)).toBeNull()
      }),
      { numRuns: 200 },
    )
  })

  test('a stack of the berth’s name without its tags is neither used nor deleted', async () => {
    const { model, parts } = createModel('CREATE_COMPLETE', [])
    const foreign = { ...parts.calls, describe: async () => ({ ...stranger, status: 'CREATE_COMPLETE' as const }) }

    expect(await codeOf(ensureStack({ ...parts, calls: foreign }, { berthId, image }, asked))).toBe(
      'backend_unavailable',
    )
    expect(
      await codeOf(removeStack(parts, { berthId, stack: { ...stranger, status: 'CREATE_COMPLETE' } }, asked)),
    ).toBe('backend_unavailable')
    expect(model.steps).toEqual([])
  })
})

/** As the provisioner does: again and again. */
const untilDone = async (work: () => Promise<unknown>): Promise<void> => {
  for (let tries = 0; tries < 20; tries += 1) if ((await codeOf(work())) === 'no error') return
}

const stranger = { id: 'id', name: 'berth-x', tags: new Map([['berth', 'bbbbbbbbbbbbbbbb']]) }
