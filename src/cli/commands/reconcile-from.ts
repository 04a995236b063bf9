import type { CommandContext } from '../command.ts'
import { listFlag, numberFlag, textFlag, usageError } from '../command.ts'
import { openFirebaseUsers } from '../firebase-users.ts'
import { type FirebaseReconciliation, reconcileFirebase } from '../reconcile-firebase.ts'
import { visible } from '../visible.ts'

const PER_MINUTE = 600

export const reconcileFromOptions = [
  ['--from <provider>', 'compare with the users of an identity provider instead: firebase'],
  ['--project <id>', 'with --from: the Firebase project'],
  ['--identity-tenant <id...>', 'with --from: an Identity Platform tenant besides the project; may be repeated'],
  ['--anonymous', 'with --from: bring in anonymous users too'],
  ['--per-minute <n>', `with --from --apply: the most tenants to make in a minute (default ${PER_MINUTE})`],
  ['--delete-gone', 'with --from --apply: delete the tenants whose users are no longer there, and all they have'],
] as const

export const reconcileFrom = async ({ flags, connect, terminal, signal }: CommandContext): Promise<void> => {
  if (textFlag(flags, 'from') !== 'firebase')
    throw usageError(`--from: expected firebase, got ${JSON.stringify(flags['from'])}`, 'Give --from firebase.')
  const project = textFlag(flags, 'project')
  if (project === undefined)
    throw usageError('--project: expected the id of the Firebase project, got nothing', 'Add --project example-app.')
  for (const other of ['rebuild', 'deep'])
    if (flags[other] === true)
      throw usageError(`--${other} has no meaning with --from`, `Leave --${other} away, or --from.`)
  const perMinute = numberFlag(flags, 'perMinute', '--per-minute') ?? PER_MINUTE
  const { tenants } = await connect()
  const progress = terminal.progress('listing the users of Firebase')
  const report = await openFirebaseUsers(project, { signal })
    .then((users) =>
      reconcileFirebase(
        { tenants, users },
        {
          project,
          identityTenants: ['', ...new Set(listFlag(flags, 'identityTenant'))],
          apply: flags['apply'] === true,
          anonymous: flags['anonymous'] === true,
          deleteGone: flags['deleteGone'] === true,
          perMinute,
          onProgress: (text) => progress.update(text),
          signal,
        },
      ),
    )
    .finally(() => progress.stop())
  terminal.answer(report, () => linesOf(report))
}

const linesOf = (report: FirebaseReconciliation): readonly string[] => {
  const { users, existing, anonymous, tombstones, missing, created, gone, deleted } = report
  return [
    `${users} users: ${existing} have a tenant, ${missing} have none, ${anonymous} are anonymous, ${tombstones} were deleted here`,
    `${created} tenants made; ${gone} tenants have no user any more, ${deleted} deleted`,
    ...report.told.map(({ kind, identityTenant, uid }) => `${kind}: ${visible(identityTenant)} ${visible(uid)}`),
    ...(report.applied || missing + gone === 0 ? [] : ['nothing was changed; repeat it with --apply']),
    ...(report.applied && gone > deleted ? ['to delete tenants without a user too, add --delete-gone'] : []),
  ]
}
