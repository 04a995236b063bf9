import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { BerthError } from '../../../src/domain/errors.ts'
import type { BerthEvent } from '../../../src/domain/ports/events.ts'
import { codeOf, quiet } from '../../contract/content.ts'
import { makeBackend, oneRun } from './subject.ts'
import { setVariables } from '../../support/set-variables.ts'

const runnerDir = join(import.meta.dirname, 'scripted-runner')

/** A backend whose runner misbehaves in the named way. */
const misbehaving = async (level: string) => {
  const backend = await makeBackend({ runnerDir, level })
  const berthId = backend.ids.berthId()
  await backend.berths.create(berthId, { signal: quiet() })
  return { ...backend, run: (code = '1', signal = quiet()) => oneRun(backend, berthId, { code, signal }) }
}

/** Called back as soon as it is told: before the runner has been started again. */
const eventOf = (events: BerthEvent[], code: string): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const push = events.push.bind(events)
  events.push = (...told) => {
    if (told.some((event) => event.code === code)) resolve()
    return push(...told)
  }
  return promise
}

/** What the scripted runner said of itself. */
const linesOf = (events: readonly BerthEvent[]) =>
  events.filter(({ code }) => code === 'runner.log').map(({ detail }) => detail?.['line'])

describe('a runner that does not start', () => {
  test('because there is no sandbox tells the remedy', async () => {
    const error = await makeBackend({ runnerDir, level: 'no-sandbox' }).catch((error: unknown) => error)

    expect(error).toMatchObject({ code: 'sandbox_unavailable', message: 'No user namespaces. Install bubblewrap.' })
  })

  test('because it breaks tells what it printed, to the log', async () => {
    const error = await makeBackend({ runnerDir, level: 'breaks-at-start' }).catch((error: unknown) => error)

    expect(error).toMatchObject({ code: 'backend_unavailable', data: { stderr: 'cannot import something' } })
  })

  test('because it speaks another protocol is refused', async () => {
    expect(await codeOf(makeBackend({ runnerDir, level: 'another-protocol' }))).toBe('backend_unavailable')
  })

  test('because its Python does not exist says so', async () => {
    await expect(makeBackend({ runnerDir, python: '/nowhere/bin/python' })).rejects.toMatchObject({
      code: 'sandbox_unavailable',
      message: expect.stringContaining('/nowhere/bin/python'),
    })
  })
})

describe('a runner that breaks', () => {
  test.each(['dies', 'writes-garbage', 'leaves-after-started'])(
    'when it %s, the run is lost with a typed error and never sent again, and the next one works',
    async (mode) => {
      await using backend = await misbehaving(mode)

      expect(await codeOf(backend.run())).toBe('runner_failed')
      expect((await backend.run()).outcome.status).toBe('succeeded')
    },
  )

  test('when it leaves in order before a run started, the run goes to the next process', async () => {
    await using backend = await misbehaving('leaves-in-order')

    expect((await backend.run()).outcome.status).toBe('succeeded')
    expect(backend.events.filter((event) => event.code === 'runner.started')).toHaveLength(2)
  })
})

describe('a run that is canceled while its runner is replaced', () => {
  test.each([
    ['canceled before the new process is there, it never reaches it', true],
    ['and one that nobody cancels does (control)', false],
  ])('%s', async (_name, isCanceled) => {
    await using backend = await misbehaving('leaves-in-order')
    const stop = new AbortController()
    const left = eventOf(backend.events, 'runner.exited')

    const outcome = codeOf(backend.run('mine', stop.signal))
    await left
    if (isCanceled) stop.abort(new BerthError('canceled', 'the caller went away'))

    expect(await outcome).toBe(isCanceled ? 'canceled' : 'no error')
    await backend.run('next')
    const got = isCanceled ? ['got run mine', 'got run next'] : ['got run mine', 'got run mine', 'got run next']
    // What a runner prints takes another way than its reply, and may come later.
    await expect.poll(() => linesOf(backend.events)).toEqual(got)
  })

  test('canceled after the new process has it, it is canceled there', async () => {
    await using backend = await misbehaving('leaves-then-waits')
    const stop = new AbortController()
    const reply = backend.run('mine', stop.signal)
    await expect.poll(() => linesOf(backend.events)).toEqual(['got run mine', 'got run mine'])

    stop.abort(new BerthError('canceled', 'the caller went away'))

    expect((await reply).outcome).toMatchObject({ status: 'canceled', detail: 'as asked' })
    await expect.poll(() => linesOf(backend.events).at(-1)).toBe('got cancel')
  })
})

describe('a reply', () => {
  test('that has not the agreed shape is malformed', async () => {
    await using backend = await misbehaving('answers-nonsense')

    expect(await codeOf(backend.run())).toBe('malformed_reply')
  })

  test('with the success shape is a success, whatever else it carries', async () => {
    await using backend = await misbehaving('forges-both')

    expect((await backend.run()).outcome.status).toBe('succeeded')
  })

  test.each([
    ['runner_outdated', 'runner_outdated'],
    ['runner_failed', 'runner_failed'],
    ['file_not_found', 'file_not_found'],
    ['malformed_request', 'internal'],
    ['unheard_of', 'malformed_reply'],
  ])('that refuses with %s becomes the error %s', async (refusal, expected) => {
    await using backend = await misbehaving('refuses')

    expect(await codeOf(backend.run(refusal))).toBe(expected)
  })
})

test("the runner sees nothing of the server's environment", async () => {
  using _ = setVariables({ BERTH_TEST_SECRET: 'secret' })
  await using backend = await misbehaving('prints-environment')
  await backend.run()

  const printed = () => linesOf(backend.events).join('\n')
  // The control: what it was given is there. What a runner prints takes another way than its reply, and may come later.
  await expect.poll(printed).toContain('PYTHONPATH')
  expect(printed()).not.toContain('secret')
})
