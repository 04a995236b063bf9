import { askForText } from '../ask.ts'
import { type CommandContext, type CommandSpec, textFlag, usageError } from '../command.ts'
import { visible } from '../visible.ts'
import { writeFirebaseHook } from '../write-firebase-hook.ts'

const HOOK_PATH = '/v1/hooks/identity'
const secretOf = "sed -n 's/^BERTH_HOOK_SECRET=//p' functions/.secret.local"
const commands = [
  'npm --prefix functions install',
  `${secretOf} | firebase functions:secrets:set BERTH_HOOK_SECRET --data-file -`,
  'firebase deploy --only functions:berth-hook',
]

export const initFirebaseCommand: CommandSpec = {
  usage: 'firebase',
  description:
    "Write the package of Cloud Functions that tells Berth of a Firebase project's users into a folder, with a new secret. Deploys nothing.",
  caller: 'aws',
  options: [
    ['--project <id>', 'Firebase project; asked for when it is missing'],
    ['--url <url>', `https://<your Berth>, the path ${HOOK_PATH} is added; asked for when it is missing`],
    ['--folder <path>', 'where to; new or empty (default: berth-firebase-hook)'],
    ['--region <name>', 'region of Google Cloud to run in (default: us-central1)'],
    ['--anonymous', 'anonymous users get a berth at sign-up as well'],
  ],
  examples: [
    'init firebase',
    'init firebase --project example-app --url https://berth.example.com',
    'init firebase --project example-app --url https://berth.example.com --region europe-west1 --folder hook',
  ],
  act: async (context) => {
    const { flags, terminal } = context
    const region = parseRegion(textFlag(flags, 'region') ?? 'us-central1')
    const project = parseProject(await given(context, 'project', 'Which Firebase project?'))
    const url = parseUrl(await given(context, 'url', 'Where is your Berth? (https://…)'))
    const folder = textFlag(flags, 'folder') ?? 'berth-firebase-hook'
    await writeFirebaseHook({ folder, project, url, region, withAnonymous: flags['anonymous'] === true })
    const server = `BERTH_HOOK_SECRETS="$(${secretOf})"`
    terminal.answer({ folder, project, url, region, commands, server }, () => [
      `${visible(folder)} is written; its secret lies in functions/.secret.local, readable by you only`,
      '',
      `next, in ${visible(folder)}:`,
      ...commands.map((line) => `  ${line}`),
      '',
      'the server needs the same secret:',
      `  ${server}`,
    ])
  },
}

const given = async ({ flags, signal }: CommandContext, name: string, question: string): Promise<string> =>
  textFlag(flags, name) ?? (await askForText(question, `Give it as --${name}.`, signal))

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
