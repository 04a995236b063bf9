/** Google's side in a process of its own, with projects of so many users as `BENCH_USERS` says, by name: tells where it is. */
import { startIdentityToolkit } from '../identity-toolkit.ts'

const google = await startIdentityToolkit()
const sizes = JSON.parse(process.env['BENCH_USERS'] ?? '{}') as Readonly<Record<string, number>>
for (const [project, users] of Object.entries(sizes)) {
  const accounts = Array.from({ length: users }, (_, at) => ({
    localId: `user-${String(at).padStart(8, '0')}-0123456789`,
    email: `user-${at}@example.com`,
  }))
  google.projects.set(project, new Map([['', accounts]]))
}
process.send?.({ host: google.host })
process.once('disconnect', () => process.exit())
