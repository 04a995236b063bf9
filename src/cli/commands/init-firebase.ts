import { askForText } from '../ask.ts'
import { type CommandContext, type CommandSpec, textFlag, usageError } from '../command.ts'
import { visible } from '../visible.ts'
import { writeFirebaseHook } from '../write-firebase-hook.ts'

const HOOK_PATH = '/v1/hooks/identity'
const secretOf = "sed -n 's/^BERTH_HOOK_SECRET=//p' functions/.secret.local"
const install = 'npm --prefix functions install'
const deploy = 'firebase deploy --only functions:berth-hook'

interface NextSteps {
  readonly commands: readonly string[]
  /** What the server needs in its environment. */
  readonly server: string
  readonly why: string
}

const stepsOfSecret: NextSteps = {
  commands: [install, `${secretOf} | firebase functions:secrets:set BERTH_HOOK_SECRET --data-file -`, deploy],
  server: `BERTH_HOOK_SECRETS="$(${secretOf})"`,
  why: 'the server needs the same secret:',
}

const stepsOfAccount = (account: string, { project, url }: { project: string; url: string }): NextSteps => {
  const name = account.endsWith(`@${project}.iam.gserviceaccount.com`) ? account.split('@', 1) : []
  return {
    commands: [
      ...name.map((own) => `gcloud iam service-accounts create ${own} --project ${project}`),
      ...['roles/run.invoker', 'roles/eventarc.eventReceiver'].map(
        (role) =>
          `gcloud projects add-iam-policy-binding ${project} --member serviceAccount:${account} --role ${role} --condition None`,
      ),
      install,
      deploy,
    ],
    server: `BERTH_HOOK_AUTH=google BERTH_HOOK_GOOGLE='${JSON.stringify({ audience: url, emails: [account] })}'`,
    why: 'the server lets this account in, and nobody else:',
  }
}

export const initFirebaseCommand: CommandSpec = {
  usage: 'firebase',
  description:
    "Write the package of Cloud Functions that tells Berth of a Firebase project's users into a folder, with a new secret or on a service account of Google's. Deploys nothing.",
  caller: 'aws',
  options: [
    ['--project <id>', 'Firebase project; asked for when it is missing'],
    ['--url <url>', `https://<your Berth>, the path ${HOOK_PATH} is added; asked for when it is missing`],
    ['--folder <path>', 'where to; new or empty (default: berth-firebase-hook)'],
    ['--region <name>', 'region of Google Cloud to run in (default: us-central1)'],
    ['--anonymous', 'anonymous users get a berth at sign-up as well'],
    ['--auth <how>', 'secret: a signature; google: an ID token of a service account (default: secret)'],
    ['--service-account <email>', 'with --auth google; made for it alone (default: berth-hook@<project>.iam…)'],
  ],
  examples: [
    'init firebase',
    'init firebase --project example-app --url https://berth.example.com',
    'init firebase --project example-app --url https://berth.example.com --region europe-west1 --folder hook',
    'init firebase --project example-app --url https://berth.example.com --auth google',
  ],
  act: async (context) => {
    const { flags, terminal } = context
    const region = parseRegion(textFlag(flags, 'region') ?? 'us-central1')
    const project = parseProject(await given(context, 'project', 'Which Firebase project?'))
    const url = parseUrl(await given(context, 'url', 'Where is your Berth? (https://…)'))
    const folder = textFlag(flags, 'folder') ?? 'berth-firebase-hook'
    const serviceAccount = accountOf(flags, project)
    await writeFirebaseHook({
      folder,
      project,
      url,
      region,
      withAnonymous: flags['anonymous'] === true,
      serviceAccount,
    })
    const { commands, server, why } =
      serviceAccount === null ? stepsOfSecret : stepsOfAccount(serviceAccount, { project, url })
    const proof = serviceAccount === null ? '; its secret lies in functions/.secret.local, readable by you only' : ''
    terminal.answer({ folder, project, url, region, commands, server }, () => [
      `${visible(folder)} is written${proof}`,
      '',
      `next, in ${visible(folder)}:`,
      ...commands.map((line) => `  ${line}`),
      '',
      why,
      `  ${server}`,
    ])
  },
}

const accountOf = (flags: CommandContext['flags'], project: string): string | null => {
  const auth = textFlag(flags, 'auth') ?? 'secret'
  const account = textFlag(flags, 'serviceAccount')
  if (auth !== 'secret' && auth !== 'google')
    throw usageError(
      `--auth: expected secret or google, got ${JSON.stringify(auth)}`,
      'With secret the functions sign what they send; with google they send an ID token of their service account.',
    )
  if (auth === 'google') return parseAccount(account ?? `berth-hook@${project}.iam.gserviceaccount.com`)
  if (account === undefined) return null
  throw usageError('--service-account: expected --auth google beside it, got none', 'Add --auth google.')
}

/** It goes into a file of lines and into the commands that are printed. */
const parseAccount = (text: string): string => {
  if (/^[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com$/.test(text)) return text
  throw usageError(
    `--service-account: expected <name>@<project>.iam.gserviceaccount.com, got ${JSON.stringify(text)}`,
    'Berth lets in whoever has tokens of this account: give it to these functions alone.',
  )
}

const given = async ({ flags, signal }: CommandContext, name: string, question: string): Promise<string> =>
  textFlag(flags, name) ?? (await askForText(question, `--${name}`, signal))

const parseProject = (text: string): string => {
  // It becomes part of a file's name.
  if (/^[a-z][a-z0-9-]{3,61}[a-z0-9]$/.test(text)) return text
  throw usageError(
    `--project: expected the id of a Firebase project (a-z, 0-9 and -), got ${JSON.stringify(text)}`,
    'The id stands in the settings of the project in the Firebase console; it is not the name.',
  )
}

const parseRegion = (text: string): string => {
  if (/^[a-z]+-[a-z]+[0-9]+$/.test(text)) return text
  throw usageError(
    `--region: expected a region of Google Cloud, got ${JSON.stringify(text)}`,
    'For example us-central1 or europe-west1.',
  )
}

/** Without TLS only to this machine, for the emulators. */
const parseUrl = (text: string): string => {
  const url = URL.parse(text)
  const isLocal = url?.protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)
  const isPlain = url?.username === '' && url.password === '' && url.search === '' && url.hash === ''
  if (url === null || !(url.protocol === 'https:' || isLocal) || !isPlain)
    throw usageError(
      `--url: expected https://<host> without user, query or fragment, got ${JSON.stringify(text)}`,
      'Name the address at which your Berth is reached from the internet, for example https://berth.example.com.',
    )
  const path = url.pathname.replace(/\/+$/, '')
  return `${url.origin}${path.endsWith(HOOK_PATH) ? path : `${path}${HOOK_PATH}`}`
}
