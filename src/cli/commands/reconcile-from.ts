import { remedyOf } from '../../client/problem.ts'
import { isBerthError } from '../../domain/errors.ts'
import { createSystemClock } from '../../main/system-clock.ts'
import type { CommandContext } from '../command.ts'
import { listFlag, numberFlag, textFlag, usageError } from '../command.ts'
import { exitCodes, isAbort } from '../exit-code.ts'
import { openFirebaseUsers } from '../from-firebase/firebase-users.ts'
import { type Reconciled, reconcileFirebase } from '../from-firebase/reconcile-firebase.ts'
import type { FirebaseReconciliation } from '../from-firebase/report.ts'
import { reportError } from '../report-error.ts'
import { visible } from '../visible.ts'

const PER_MINUTE = 600
/** firebase-admin heeds it without a word. */
const EMULATOR = 'FIREBASE_AUTH_EMULATOR_HOST'

export const reconcileFromOptions = [
  ['--from <provider>', 'compare with the users of an identity provider instead: firebase'],
  ['--project <id>', 'with --from: the Firebase project'],
  ['--identity-tenant <id...>', 'with --from: an Identity Platform tenant besides the project; may be repeated'],
  ['--anonymous', 'with --from: bring in anonymous users too'],
  ['--deferred', 'with --from: bring in users too whom BERTH_PROVISION_ON leaves for their first run'],
  ['--per-minute <n>', `with --from --apply: the most tenants to make or delete in a minute (default ${PER_MINUTE})`],
  ['--delete-gone', 'with --from --apply: delete the tenants whose users are no longer there, and all they have'],
  ['--emulator', `with --from: the users are those of the emulator that ${EMULATOR} names`],
] as const

export const reconcileFrom = async ({ flags, connect, terminal, signal }: CommandContext): Promise<number> => {
  const project = assertUsage(flags)
  const perMinute = numberFlag(flags, 'perMinute', '--per-minute') ?? PER_MINUTE
  const { tenants } = await connect()
  const progress = terminal.progress('listing the users of Firebase')
  const clock = createSystemClock()
  await using users = await openFirebaseUsers(project, { clock, signal })
  const reconciled = await reconcileFirebase(
    { tenants, users, clock },
    {
      project,
      identityTenants: ['', ...new Set(listFlag(flags, 'identityTenant'))],
      apply: flags['apply'] === true,
      anonymous: flags['anonymous'] === true,
      deferred: flags['deferred'] === true,
      deleteGone: flags['deleteGone'] === true,
      perMinute,
      onProgress: (text) => progress.update(text),
      signal,
    },
  ).finally(() => progress.stop())
  return answer(reconciled, terminal)
}

/** Resolves with the project. */
const assertUsage = (flags: CommandContext['flags']): string => {
  if (textFlag(flags, 'from') !== 'firebase')
    throw usageError(`--from: expected firebase, got ${JSON.stringify(flags['from'])}`, 'Give --from firebase.')
  const project = textFlag(flags, 'project')
  if (project === undefined)
    throw usageError('--project: expected the id of the Firebase project, got nothing', 'Add --project example-app.')
  for (const other of ['rebuild', 'deep'])
    if (flags[other] === true)
      throw usageError(`--${other} has no meaning with --from`, `Leave --${other} away, or --from.`)
  assertMeant(flags['emulator'] === true, process.env[EMULATOR] ?? '')
  if (flags['emulator'] === true && flags['deleteGone'] === true) assertDemo(project)
  return project
}

/** An emulator has none of the users of production: with --delete-gone all their tenants would go. */
const assertMeant = (emulator: boolean, host: string): void => {
  if (host !== '' && !emulator)
    throw usageError(
      `${EMULATOR} is set to ${JSON.stringify(host)}, so the users would be those of an emulator and not of Firebase`,
      `Unset ${EMULATOR}; or, when the emulator is meant, add --emulator.`,
    )
  if (host === '' && emulator)
    throw usageError(
      `--emulator: expected ${EMULATOR} to name the emulator, got nothing`,
      `Set ${EMULATOR}=127.0.0.1:9099, or leave --emulator away.`,
    )
}

/** Firebase takes the ids of such projects for emulators alone, so nobody's users are real. */
const assertDemo = (project: string): void => {
  if (project.startsWith('demo-')) return
  throw usageError(
    `--project: expected one whose id starts with "demo-" for --emulator --delete-gone, got ${JSON.stringify(project)}`,
    'An emulator does not know the users of a real project, and all their tenants would go. Leave --delete-gone away.',
  )
}

const answer = ({ report, stopped }: Reconciled, terminal: CommandContext['terminal']): number => {
  // Nothing was looked at, so there is no part to tell of.
  if (stopped !== null && report.users === 0) throw stopped.error
  terminal.answer({ ...report, stopped: stopped === null ? null : describe(stopped.error) }, () => [
    ...linesOf(report),
    ...(stopped === null ? hintsOf(report) : ['stopped before its end; start the same command again and it goes on']),
  ])
  if (stopped === null) return exitCodes.ok
  if (!terminal.json) reportError(stopped.error, terminal)
  return isAbort(stopped.error) ? exitCodes.interrupted : exitCodes.stopped
}

const describe = (error: unknown): Readonly<Record<string, string>> => {
  if (isAbort(error)) return { code: 'interrupted', detail: 'interrupted', remedy: 'Start it again: it goes on.' }
  if (!isBerthError(error)) return { code: 'internal', detail: String(error), remedy: 'Please report it.' }
  return { code: error.code, detail: error.message, remedy: remedyOf(error) }
}

const linesOf = (report: FirebaseReconciliation): readonly string[] => {
  const { users, existing, leftOut, tombstones, missing, created, gone, deleted } = report
  const why = Object.entries(leftOut).filter(([, count]) => count > 0)
  return [
    `${users} users: ${existing} have a tenant, ${missing} have none, ${tombstones} were deleted here`,
    ...(why.length === 0 ? [] : [`left out: ${why.map(([reason, count]) => `${count} ${reason}`).join(', ')}`]),
    `${created} tenants made; ${gone} tenants have no user any more, ${deleted} deleted`,
    ...report.told.map(({ kind, identityTenant, uid }) => `${kind}: ${visible(identityTenant)} ${visible(uid)}`),
  ]
}

const hintsOf = ({ applied, missing, gone, deleted, leftOut }: FirebaseReconciliation): readonly string[] => [
  ...(applied || missing + gone === 0 ? [] : ['nothing was changed; repeat it with --apply']),
  ...(applied && gone > deleted ? ['to delete tenants without a user too, add --delete-gone'] : []),
  ...(leftOut.deferred === 0
    ? []
    : ['BERTH_PROVISION_ON leaves some for their first run; to bring them in, add --deferred']),
]
