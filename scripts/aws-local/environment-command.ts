import { existsSync } from 'node:fs'
import { OWN_PYTHON, RIE, ROOT, RUNTIME_PYTHON } from './paths.ts'
import type { RunnerImage } from './images.ts'

/**
 * A /tmp of its own, as in Lambda: the handler empties the shared folders of its environment. The checkout may itself lie below
 * one of them and is then shown again at its place.
 */
const PRIVATE_FOLDERS = `root=$1; shift
case $root/ in
  /tmp/* | /var/tmp/* | /dev/shm/*)
    mount -t tmpfs tmpfs /mnt && mkdir /mnt/keep && mount --bind "$root" /mnt/keep || exit 98 ;;
esac
for folder in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o mode=1777 tmpfs "$folder" || exit 99; done
if [ -d /mnt/keep ]; then mkdir -p "$root" && mount --bind /mnt/keep "$root" || exit 97; fi
exec "$@"
`
/** The signal that the kernel sends when the parent dies, however it dies. */
const DIES_WITH_PARENT = ['setpriv', '--pdeathsig', 'KILL']
// A process namespace: the runner ends every process of its user, and other environments have the same user.
const OWN_NAMESPACES = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
const WITHOUT_RIGHTS = [
  ...DIES_WITH_PARENT,
  '--reuid=993',
  '--regid=990',
  '--clear-groups',
  '--no-new-privs',
  '--bounding-set=-all',
]

const isRoot = process.getuid?.() === 0

/** Whether environments have a user, a /tmp and a process tree of their own here; it takes root. */
export const hasOwnFolders = isRoot && existsSync(RUNTIME_PYTHON)

export const environmentCommand = (
  image: RunnerImage,
  command: readonly string[] | null,
  addresses: readonly string[],
): { program: string; args: readonly string[] } => {
  const handler = (image.takesCommand ? command?.[0] : undefined) ?? image.handler
  const runtime = [hasOwnFolders ? RUNTIME_PYTHON : OWN_PYTHON, '-m', 'awslambdaric', handler]
  const words = hasOwnFolders
    ? [...DIES_WITH_PARENT, ...OWN_NAMESPACES, 'sh', '-c', PRIVATE_FOLDERS, 'sh', ROOT, ...WITHOUT_RIGHTS]
    : [...DIES_WITH_PARENT]
  const [program = RIE, ...args] = [...words, RIE, ...addresses, ...runtime]
  return { program, args }
}
