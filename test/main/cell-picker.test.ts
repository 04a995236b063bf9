import { describe, expect, test } from 'vitest'
import type { CellCount } from '../../src/domain/ports/store.ts'
import { type CellRoom, createCellPicker } from '../../src/main/cell-picker.ts'
import { quiet } from '../contract/content.ts'
import { createEventLog } from '../support/event-log.ts'
import { clock } from '../support/provisioning-site.ts'

const signal = quiet()
const room = (name: string, maxBerths: number, left = 1_000_000): CellRoom => ({
  name,
  maxBerths,
  signUpsLeft: async () => left,
})
const count = (cell: string, living: number, readySpares = 0): CellCount => ({
  backend: 'lambda',
  cell,
  living,
  readySpares,
})

const openPicker = (cells: readonly CellRoom[], counts: readonly CellCount[] = []) => {
  const log = createEventLog()
  let nowMs = 0
  const picker = createCellPicker({
    cells,
    backend: 'lambda',
    berths: { countByCell: async () => counts },
    clock: { ...clock, monotonicMs: () => nowMs },
    events: log,
  })
  const picks = async (times: number, purpose: 'signUp' | 'spare' = 'signUp') => {
    const picked: (string | null)[] = []
    for (let pick = 0; pick < times; pick += 1) picked.push(await picker.pick({ purpose }))
    return picked
  }
  const told = () => log.events.map(({ code, detail }) => [code, detail?.['cell'], detail?.['reason']])
  return { ...picker, picks, told, later: (ms: number) => void (nowMs += ms) }
}

describe('a new berth', () => {
  test('goes to the cell that is least full', async () => {
    const { picks } = openPicker([room('a', 100), room('b', 1000)], [count('a', 30), count('b', 200)])

    expect(await picks(1)).toEqual(['b'])
  })

  test('counts at once, so that many in one second are spread and none overfills a cell', async () => {
    const { picks } = openPicker([room('a', 2), room('b', 3)])

    expect(await picks(7)).toEqual(['a', 'b', 'b', 'a', 'b', null, null])
  })

  test('comes from where a ready spare waits, even when that cell is full', async () => {
    const { picks } = openPicker([room('a', 10), room('b', 5)], [count('a', 0), count('b', 5, 1)])

    expect(await picks(2)).toEqual(['b', 'a'])
  })

  test('that is a spare goes where there is room, wherever spares wait', async () => {
    const { picks } = openPicker([room('a', 10), room('b', 5)], [count('a', 5), count('b', 1, 1)])

    expect(await picks(1, 'spare')).toEqual(['b'])
  })

  test('is not counted for another backend', async () => {
    const { picks } = openPicker([room('a', 1)], [{ ...count('a', 5), backend: 'local' }])

    expect(await picks(1)).toEqual(['a'])
  })
})

describe('a cell', () => {
  test('that is full is passed over, and said to be so once', async () => {
    const { picks, told } = openPicker([room('a', 1), room('b', 9)])
    await picks(6)

    expect(told()).toEqual([['cell.passed_over', 'a', 'full']])
  })

  test('is full when AWS has no room, whatever the configuration says', async () => {
    const { picks, look, told } = openPicker([room('a', 1000, 2), room('b', 1000, 0)], [count('a', 7)])
    await look(signal)

    expect(await picks(3)).toEqual(['a', 'a', null])
    expect(told()).toContainEqual(['cell.passed_over', 'b', 'full'])
  })

  test('that does not answer is passed over until it does', async () => {
    let away = true
    const flaky: CellRoom = {
      ...room('a', 10),
      signUpsLeft: async () => {
        if (away) throw new Error('no answer')
        return 5
      },
    }
    const { picks, look, told } = openPicker([flaky, room('b', 10)])
    await look(signal)
    const meanwhile = await picks(2)
    away = false
    await look(signal)

    expect(meanwhile).toEqual(['b', 'b'])
    expect(await picks(1)).toEqual(['a'])
    expect(told()).toEqual([
      ['cell.passed_over', 'a', 'down'],
      ['cell.back', 'a', 'has room'],
    ])
  })

  test('that failed to make a berth goes behind the others', async () => {
    const { picks, unavailable } = openPicker([room('a', 10), room('b', 10)])
    unavailable('a')

    expect(await picks(2)).toEqual(['b', 'b'])
  })

  test('still takes sign-ups when no cell answers: they wait for it', async () => {
    const { picks, unavailable } = openPicker([room('a', 10)])
    unavailable('a')

    expect(await picks(1)).toEqual(['a'])
  })

  test('is counted anew after a second, since other servers give berths away too', async () => {
    const counts = [count('a', 0)]
    const { picks, later } = openPicker([room('a', 2)], counts)
    await picks(1)
    counts[0] = count('a', 2)

    expect(await picks(1)).toEqual(['a'])
    later(1000)
    expect(await picks(1)).toEqual([null])
  })
})
