import type { Berths } from '../../src/domain/ports/berths.ts'

/** Berths as stacks in the cell that a parent process has prepared; nothing where it has not. Loads no SDK then. */
export const openStacksFromEnvironment = async (): Promise<{ readonly berths?: Berths }> => {
  const region = process.env['AWS_REGION']
  if (process.env['AWS_ENDPOINT_URL'] === undefined || region === undefined) return {}
  const { connectAwsCell, quickPoll } = await import('./aws-cell.ts')
  const { createStackBerths } = await import('../../src/backends/lambda/stack-berths.ts')
  const { createSystemClock } = await import('../../src/main/system-clock.ts')
  const clock = createSystemClock()
  return { berths: createStackBerths({ ...(await connectAwsCell({ region })), clock }, { pollMs: quickPoll }) }
}
