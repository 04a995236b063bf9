/**
 * `node scripts/image/as-role.ts --role <arn> --region <region> -- <command>`: runs a command of a GitHub job as a role of AWS. GitHub's word for the
 * job (OIDC) is changed into credentials that only this command gets; no file, no output and no later step holds them.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { parseArgs } from 'node:util'
import { AssumeRoleWithWebIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { z } from 'zod'
import { Fault, needed, runCommand } from './command.ts'

/** The most that the foundation's role gives: a large fleet takes longer than the hour that is usual. */
const SESSION_SECONDS = 14_400

const tokenSchema = z.object({ value: z.string().min(1) })

const askGitHub = async (): Promise<string> => {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: secret } = process.env
  if (url === undefined || secret === undefined)
    throw new Fault('GitHub gives this job no token: its permissions need id-token: write')
  const asked = new URL(url)
  asked.searchParams.set('audience', 'sts.amazonaws.com')
  const answer = await fetch(asked, {
    headers: { authorization: `bearer ${secret}` },
    signal: AbortSignal.timeout(30_000),
  })
  if (!answer.ok) throw new Fault(`GitHub gave no token: ${answer.status}`)
  return tokenSchema.parse(await answer.json()).value
}

const assume = async (role: string, region: string) => {
  const sts = new STSClient({ region })
  const command = new AssumeRoleWithWebIdentityCommand({
    RoleArn: role,
    RoleSessionName: `berth-${process.env['GITHUB_RUN_ID'] ?? 'local'}`,
    WebIdentityToken: await askGitHub(),
    DurationSeconds: SESSION_SECONDS,
  })
  const { Credentials } = await sts.send(command).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Fault(
      `AWS does not give this job ${role}: ${reason}. GitHubSubject of its foundation must name the job's environment.`,
    )
  })
  if (Credentials === undefined) throw new Fault(`AWS gave no credentials of ${role}`)
  return {
    AWS_ACCESS_KEY_ID: Credentials.AccessKeyId ?? '',
    AWS_SECRET_ACCESS_KEY: Credentials.SecretAccessKey ?? '',
    AWS_SESSION_TOKEN: Credentials.SessionToken ?? '',
  }
}

/** With GitHub's secret the command could ask for tokens itself; a profile would go before the credentials. */
const keptBack = new Set(['ACTIONS_ID_TOKEN_REQUEST_URL', 'ACTIONS_ID_TOKEN_REQUEST_TOKEN', 'AWS_PROFILE'])

const environment = (credentials: Readonly<Record<string, string>>, region: string): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !keptBack.has(name))),
  ...credentials,
  AWS_REGION: region,
})

/** A cancelled job interrupts this process; the command must hear of it, and ends in its own way. */
const follow = async (program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> => {
  const child = spawn(program, args, { env, stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void child.kill(signal))
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal])
}

await runCommand('as-role', async () => {
  const { values, positionals } = parseArgs({
    options: { role: { type: 'string' }, region: { type: 'string' } },
    allowPositionals: true,
  })
  const [role, region] = [needed(values.role, '--role <arn>'), needed(values.region, '--region <region>')]
  const [program, ...args] = positionals
  const credentials = await assume(role, region)
  process.exitCode = await follow(needed(program, '-- <command>'), args, environment(credentials, region))
})
