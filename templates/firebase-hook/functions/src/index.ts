import { type AuthOptions, onUserCreated, onUserDeleted } from 'firebase-functions/v2/identity'
import { means } from './proof.js'
import { isUnwanted, region, send } from './send.js'

const options: AuthOptions = {
  region,
  ...means,
  retry: true,
  memory: '256MiB',
  timeoutSeconds: 30,
  maxInstances: 10,
}

export const berthUserCreated = onUserCreated(options, async ({ id, time, data, tenantId }) => {
  if (isUnwanted(data)) return
  await send({ type: 'user.created', id, time, uid: data.uid, tenantId, emailVerified: data.emailVerified })
})

// Sent for everyone: whoever signed up without a berth may have got one with their first run.
export const berthUserDeleted = onUserDeleted(options, ({ id, time, data, tenantId }) =>
  send({ type: 'user.deleted', id, time, uid: data.uid, tenantId }),
)
