// Webhooks shaped as their providers document them, with what Berth does not read left in.

export const clerkUser = (id: string, status: string) => ({
  data: {
    id,
    object: 'user',
    first_name: 'Example',
    email_addresses: [
      {
        id: 'idn_other',
        object: 'email_address',
        email_address: 'b@example.org',
        verification: { status: 'verified' },
      },
      {
        id: 'idn_primary',
        object: 'email_address',
        email_address: 'a@example.org',
        verification: { status, strategy: 'email_code' },
      },
    ],
    primary_email_address_id: 'idn_primary',
    created_at: 1_654_012_591_514,
  },
  instance_id: 'ins_123',
  object: 'event',
  timestamp: 1_654_012_591_835,
  type: 'user.created',
})

export const auth0User = (type: string, userId: string) => ({
  specversion: '1.0',
  type,
  source: 'urn:auth0:example.auth0app.com',
  id: 'evt_1234567890abcdef',
  time: '2025-02-01T12:34:56Z',
  data: { object: { user_id: userId, email: 'a@example.org', email_verified: true, identities: [] } },
  a0tenant: 'my-tenant',
  a0stream: 'est_1234567890abcdef',
})

export const cognitoConfirmation = (sub: string) => ({
  version: '1',
  region: 'eu-central-1',
  userPoolId: 'eu-central-1_abc',
  userName: 'a-name',
  callerContext: { awsSdkVersion: '1', clientId: 'client' },
  triggerSource: 'PostConfirmation_ConfirmSignUp',
  request: { userAttributes: { sub, email_verified: 'true', 'cognito:user_status': 'CONFIRMED' } },
  response: {},
})

export const supabaseRow = (id: string, more: object = {}) => ({
  id,
  aud: 'authenticated',
  role: 'authenticated',
  email: 'a@example.org',
  email_confirmed_at: '2025-04-29T13:13:24.755552+00:00',
  is_anonymous: false,
  ...more,
})

export const supabaseChange = (type: 'INSERT' | 'DELETE', id: string) => ({
  type,
  table: 'users',
  schema: 'auth',
  record: type === 'INSERT' ? supabaseRow(id) : null,
  old_record: type === 'INSERT' ? null : supabaseRow(id),
})

export const supabaseAuthHook = (id: string) => ({
  metadata: {
    uuid: '8b34dcdd-9df1-4c10-850a-b3277c653040',
    time: '2025-04-29T13:13:24.755552-07:00',
    name: 'before-user-created',
    ip_address: '127.0.0.1',
  },
  user: { id, aud: 'authenticated', role: '', email: 'a@example.org', is_anonymous: false },
})
