import { type Flags, textFlag, usageError } from './command.ts'

export const placeOptions = [
  ['--region <region>', 'AWS Region (AWS_REGION, else AWS_DEFAULT_REGION)'],
  ['--deployment <name>', 'first part of every name there (default "berth")'],
] as const

/** Where on AWS. Credentials are what the AWS SDK finds: AWS_PROFILE, keys in the environment, and so on. */
export const placeOf = (flags: Flags, env: NodeJS.ProcessEnv) => {
  const region = textFlag(flags, 'region') ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION']
  if (region === undefined || region === '')
    throw usageError('in which Region is not said', 'Give one: --region eu-west-1, or set AWS_REGION.')
  if (!/^[a-z]{2}(-[a-z]+)+-\d$/.test(region))
    throw usageError(`--region: expected a Region, got ${JSON.stringify(region)}`, 'For example --region eu-west-1.')
  const deployment = textFlag(flags, 'deployment') ?? 'berth'
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(deployment))
    throw usageError(
      `--deployment: expected lower-case letters, digits and hyphens, beginning with a letter, 31 at most, got ${JSON.stringify(deployment)}`,
      'Choose a short name, for example --deployment berth.',
    )
  return { region, deployment }
}
