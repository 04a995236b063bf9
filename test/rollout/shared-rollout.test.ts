// @module-tag aws-local
import { expect, test } from 'vitest'
import { BAD_IMAGES } from '../../scripts/aws-local/bad-images.ts'
import { defaultRunLimits } from '../../src/domain/limits.ts'
import { openSharedSite } from '../backends/lambda-shared/shared-site.ts'
import { berth } from '../cli/berth-process.ts'
import { collect, quiet } from '../contract/content.ts'

test('a rollout brings the function that tenants share, and with it all of them; a bad image is undone', async () => {
  await using site = await openSharedSite()
  const signal = quiet()
  const berthIds = [site.ids.berthId(), site.ids.berthId()]
  for (const berthId of berthIds) await site.berths.create(berthId, { signal })
  await site.home.wantedImage.write({ image: site.image, version: 2, fence: 0 }, { signal })
  const repository = site.cell.foundation.repositoryUri.split('/').slice(1).join('/')
  const start = async (image: string) => {
    const flags = ['--image', image, '--image-version', '3', '--settle-seconds', '1', '--roll-back', '--json']
    const ended = await berth(['rollout', 'start', ...flags], { env: site.aws.env })
    return { ...ended, answer: JSON.parse(ended.stdout) }
  }
  const images = async () => new Set((await collect(site.fleet.list({ signal }))).map(({ image }) => image))
  const request = {
    runId: site.ids.runId(),
    language: 'python' as const,
    code: '6 * 7',
    variables: {},
    files: [],
    profile: 'default' as const,
    limits: defaultRunLimits,
    minRunnerVersion: 3,
  }

  const bad = await start(await site.aws.image('bad', BAD_IMAGES.answersGarbage, repository))
  const restored = await images()
  const next = await site.aws.image('v3', { kind: 'runner', version: 3, profile: 'evaluator' }, repository)
  const good = await start(next)
  const reply = await site.dispatch.dispatch({ berthId: berthIds[0] ?? site.ids.berthId(), request, signal })

  expect([bad.code, bad.answer.state], bad.stderr).toEqual([4, 'rolled_back'])
  expect(restored).toEqual(new Set([site.image]))
  expect([good.code, good.answer.state, good.answer.updated], good.stderr).toEqual([0, 'done', 2])
  expect(await images()).toEqual(new Set([next]))
  expect((await site.home.wantedImage.read({ signal }))?.by).toMatch(/^arn:aws:/)
  expect([reply.outcome.status, reply.runner.version]).toEqual(['succeeded', 3])
}, 180_000)
