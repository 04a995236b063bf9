import { askForWord } from '../ask.ts'
import { type CommandContext, type CommandSpec } from '../command.ts'
import { placeOf, placeOptions } from '../place-flags.ts'
import { visible } from '../visible.ts'

export const destroyCommand: CommandSpec = {
  usage: 'destroy',
  description:
    'Take away the foundation of a cell with its bucket and its images, for ever. Refuses while a berth remains, and asks for the name of the deployment.',
  caller: 'aws',
  options: [...placeOptions, ['--yes', 'do not ask']],
  examples: ['destroy --region eu-west-1', 'destroy --region eu-west-1 --deployment berth-test --yes --json'],
  act: async (context) => {
    const { flags, terminal, signal } = context
    const place = placeOf(flags, process.env)
    const [{ openDeployment }, { planRemoval, remove }] = await Promise.all([
      import('../../main/deployment/deployment.ts'),
      import('../../main/deployment/remove-deployment.ts'),
    ])
    using deployment = openDeployment(place)
    const looking = terminal.progress(`looking at ${deployment.stackName} in ${place.region}`)
    const removal = await planRemoval(deployment, signal).finally(() => looking.stop())
    if (removal === null) {
      terminal.answer({ ...place, removed: false }, () => [
        `there is no deployment ${place.deployment} in ${place.region}`,
      ])
      return
    }
    const { bucket, repository } = removal
    if (!(await isMeant(context, { ...place, bucket, repository }))) {
      terminal.answer({ ...place, removed: false }, () => ['nothing was deleted'])
      return
    }
    const progress = terminal.progress('deleting')
    const onProgress = (line: string): void => progress.update(visible(line))
    try {
      await remove(deployment, removal, { signal, onProgress })
    } catch (error) {
      if (signal.aborted) progress.stop('part of it is deleted; start the same command again to end it')
      throw error
    } finally {
      progress.stop()
    }
    terminal.answer({ ...place, removed: true, bucket, repository }, () => [
      `deployment ${place.deployment} in ${place.region} is gone: stack, bucket ${bucket}, repository ${repository}`,
    ])
  },
}

const isMeant = async (
  { flags, terminal, signal }: CommandContext,
  what: { deployment: string; region: string; bucket: string; repository: string },
): Promise<boolean> => {
  if (flags['yes'] === true) return true
  terminal.note(`this deletes bucket ${what.bucket} and repository ${what.repository} with all they hold, for ever`)
  return askForWord(`Type the name of the deployment (${what.deployment}) to go ahead`, what.deployment, signal)
}
