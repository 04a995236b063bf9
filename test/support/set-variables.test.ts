import { expect, test } from 'vitest'
import { setVariables } from './set-variables.ts'

const variables = ['BERTH_TEST_ONE', 'BERTH_TEST_TWO'] as const
const present = () => variables.map((name) => process.env[name])

test('variables are set as long as they are needed, and then as they were before', () => {
  using _ = setVariables({ BERTH_TEST_ONE: 'first' })
  {
    using _ = setVariables({ BERTH_TEST_ONE: undefined, BERTH_TEST_TWO: 'second' })
    expect(present()).toEqual([undefined, 'second'])
  }
  expect(present()).toEqual(['first', undefined])
})
