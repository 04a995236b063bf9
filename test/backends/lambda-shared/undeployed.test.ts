// @module-tag aws-local
import { expect, test } from 'vitest'
import { quiet } from '../../contract/content.ts'
import { openSharedSite } from './shared-site.ts'

test('where the function was never deployed no berth is made, and the error names the template', async () => {
  await using site = await openSharedSite({ deploy: false })
  const berthId = site.ids.berthId()

  const making = site.berths.create(berthId, { signal: quiet() })

  await expect(making).rejects.toMatchObject({
    code: 'provisioning_failed',
    message: expect.stringContaining('templates/shared.yaml'),
  })
  expect(await site.berths.find(berthId, { signal: quiet() })).toBeNull()
})
