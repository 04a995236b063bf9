/** The same with functions of the 1st generation, for projects that take no preview: set "main" to "lib/index-v1.js". */
import { runWith } from 'firebase-functions/v1'
import { means } from './proof.js'
import { isUnwanted, region, send } from './send.js'

const users = runWith({
  ...means,
  failurePolicy: true,
  memory: '256MB',
  timeoutSeconds: 30,
  maxInstances: 10,
})
  .region(region)
  .auth.user()

export const berthUserCreated = users.onCreate(async (user, { eventId, timestamp }) => {
  if (isUnwanted(user)) return
  const { uid, tenantId, emailVerified } = user
  await send({ type: 'user.created', id: eventId, time: timestamp, uid, tenantId, emailVerified })
})

export const berthUserDeleted = users.onDelete(({ uid, tenantId }, { eventId, timestamp }) =>
  send({ type: 'user.deleted', id: eventId, time: timestamp, uid, tenantId }),
)
