import { expect, test } from 'vitest'
import { createBerth } from '../../src/client/berth.ts'
import type { Wanted } from '../../src/domain/wanted-image.ts'
import { descendants } from '../../scripts/bench/process-memory.ts'
import { leftOvers, makeRolloutMachine, type RolloutMachine, strangers } from './rollout-machine.ts'

/** What is under way when the server dies, and the moment at which it does. */
interface Death {
  /** What an operator has done before. */
  readonly before?: (machine: RolloutMachine) => Promise<unknown>
  readonly act: (machine: RolloutMachine, signal: AbortSignal) => Promise<unknown>
  readonly moment: (machine: RolloutMachine) => Promise<void>
}

const rollOut: Death['act'] = ({ operator }, signal) => operator.rollout({ signal })
const hasCandidate = ({ candidate }: Wanted): boolean => candidate !== undefined

const deaths: Readonly<Record<string, Death>> = {
  'right after the new runner was written down as on its way': {
    act: rollOut,
    moment: ({ wrote }) => wrote(hasCandidate),
  },
  'while the new runner is being proven': { act: rollOut, moment: ({ told }) => told('runner.started') },
  'right after runs went to the new runner, while the old one drains with a run in it': {
    act: rollOut,
    moment: ({ told }) => told('runner.replaced'),
  },
  'during the way back': {
    before: ({ operator }) => operator.rollout(),
    act: ({ operator }, signal) => operator.rollBack({ signal }),
    moment: ({ told }) => told('runner.replaced'),
  },
  'when the fence was written down': {
    before: ({ operator }) => operator.rollout(),
    act: async ({ operator, wanted }, signal) => operator.setFence((await wanted()).version, { signal }),
    moment: ({ wrote }) => wrote(({ fence }) => fence > 0),
  },
}

test(
  'a server that is killed in the middle of a rollout starts with what its file says, leaves nothing behind, and ends the rollout',
  { timeout: 1_200_000 },
  async () => {
    await using machine = await makeRolloutMachine()
    const { server, operator } = machine
    await machine.install(1)
    await server.start()
    const { secret: key } = await operator.keys.create({ name: 'load', role: 'service', project: 'kill' })
    const tenant = createBerth({ baseUrl: server.url, key, tenant: 'somebody' })
    const versionOfRun = async (): Promise<number> => {
      const { status, runner } = await tenant.run('6 * 7', { language: 'python' })
      expect(status).toBe('succeeded')
      return runner?.version ?? 0
    }
    await versionOfRun()
    let version = 1

    for (const [name, { before, act, moment }] of Object.entries(deaths)) {
      await machine.install((version += 1))
      await before?.(machine)
      const { id } = await tenant.runs.create(
        { language: 'python', code: 'import time\ntime.sleep(600)', timeoutMs: 700_000 },
        { respondAsync: true },
      )
      await expect.poll(async () => (await tenant.runs.get(id)).status).toBe('running')
      const left = new AbortController()
      const due = moment(machine)
      const done = act(machine, left.signal).catch((error: unknown) => error)
      await Promise.race([due, done])
      const processes = await descendants(server.pid)
      left.abort()
      await server.kill()
      await done

      const said = await machine.wanted()
      await server.start()

      // The control: there was more than one runner, or its sandboxes, to leave behind.
      expect(processes.length, name).toBeGreaterThan(3)
      expect(await versionOfRun(), name).toBe(said.version)
      expect(said.version, name).toBeGreaterThanOrEqual(said.fence)
      const [cell] = await operator.fleet()
      expect(cell?.wanted, name).toMatchObject({ image: said.image, version: said.version })
      await expect.poll(() => strangers(machine)).toEqual([])
      // A spare that is just being made again has a file of its self-test for a moment.
      await expect.poll(() => leftOvers(machine, said.image), { message: name }).toEqual([])
      // It was acknowledged, so it would begin again when the dead server's claim on it has run out.
      await tenant.runs.cancel(id)
      expect((await operator.rollout()).state, name).toBe('done')
      expect(await versionOfRun(), name).toBe(version)
    }
  },
)
