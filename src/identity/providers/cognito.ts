import { z } from 'zod'
import { ignored, type ReadProviderEvent, readShape, uidSchema } from './provider-event.ts'

const trigger = z.object({ triggerSource: z.string() })
const confirmed = z.object({
  request: z.object({
    userAttributes: z.object({ sub: uidSchema, email_verified: z.union([z.string(), z.boolean()]).optional() }),
  }),
})

/** The event of a post-confirmation trigger, as a function of the operator's passes it on.
 * @see https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-post-confirmation.html checked 2026-11-22 */
export const readCognitoEvent: ReadProviderEvent = (body) => {
  const { triggerSource } = readShape(trigger, body)
  // The same trigger fires when somebody sets a forgotten password.
  if (triggerSource !== 'PostConfirmation_ConfirmSignUp')
    return ignored('another trigger than PostConfirmation_ConfirmSignUp')
  const { sub: uid, email_verified: verified } = readShape(confirmed, body).request.userAttributes
  return { type: 'user.created', uid, emailVerified: String(verified) === 'true', eventId: `confirmed:${uid}` }
}
