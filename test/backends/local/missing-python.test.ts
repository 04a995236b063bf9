import { expect, test } from 'vitest'
import { makeBackend } from './subject.ts'

test('a Python that is not there is named at once, with the remedy', async () => {
  await expect(makeBackend({ python: '/no/such/python' })).rejects.toMatchObject({
    code: 'sandbox_unavailable',
    message: expect.stringContaining('/no/such/python'),
  })
})
