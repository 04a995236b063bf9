import { describe, expect, test } from 'vitest'
import { readAuth0Event } from '../../src/identity/providers/auth0.ts'
import { readClerkEvent } from '../../src/identity/providers/clerk.ts'
import { readCognitoEvent } from '../../src/identity/providers/cognito.ts'
import type { ReadProviderEvent } from '../../src/identity/providers/provider-event.ts'
import { readSupabaseEvent } from '../../src/identity/providers/supabase.ts'
import {
  auth0User,
  clerkUser,
  cognitoConfirmation,
  supabaseAuthHook,
  supabaseRow,
} from '../support/provider-payloads.ts'

const change = (type: string, record: unknown, before: unknown) => ({
  type,
  table: 'users',
  schema: 'auth',
  record,
  old_record: before,
})

describe.each<[string, ReadProviderEvent, readonly [string, unknown, object][]]>([
  [
    'Clerk',
    readClerkEvent,
    [
      [
        'a user with a verified primary address',
        clerkUser('user_1', 'verified'),
        { uid: 'user_1', emailVerified: true },
      ],
      ['a user with an address to verify', clerkUser('user_1', 'unverified'), { uid: 'user_1', emailVerified: false }],
      [
        'a deleted user, of whom little is left',
        { data: { deleted: true, id: 'user_1', object: 'user' }, object: 'event', type: 'user.deleted' },
        { type: 'user.deleted', uid: 'user_1' },
      ],
      ['a session', { data: { id: 'sess_1' }, object: 'event', type: 'session.created' }, { type: 'ignored' }],
      ['a change', { ...clerkUser('user_1', 'verified'), type: 'user.updated' }, { type: 'ignored' }],
    ],
  ],
  [
    'Auth0',
    readAuth0Event,
    [
      [
        'a new user',
        auth0User('user.created', 'auth0|abc'),
        { type: 'user.created', uid: 'auth0|abc', emailVerified: true, eventId: 'evt_1234567890abcdef' },
      ],
      ['the longer type', auth0User('com.auth0.user.created', 'auth0|abc'), { type: 'user.created' }],
      [
        'a deleted user',
        auth0User('user.deleted', 'google-oauth2|7'),
        { type: 'user.deleted', uid: 'google-oauth2|7' },
      ],
      ['another event', auth0User('organization.created', 'x'), { type: 'ignored' }],
    ],
  ],
  [
    'Cognito',
    readCognitoEvent,
    [
      [
        'a confirmed user, whose name is not its id',
        cognitoConfirmation('sub-1'),
        { type: 'user.created', uid: 'sub-1', emailVerified: true },
      ],
      [
        'a forgotten password',
        { ...cognitoConfirmation('sub-1'), triggerSource: 'PostConfirmation_ConfirmForgotPassword' },
        { type: 'ignored' },
      ],
    ],
  ],
  [
    'Supabase',
    readSupabaseEvent,
    [
      [
        'a row that came',
        change('INSERT', supabaseRow('u-1', { email_confirmed_at: null }), null),
        { type: 'user.created', uid: 'u-1', emailVerified: false },
      ],
      [
        'an address that was confirmed',
        change('UPDATE', supabaseRow('u-1'), supabaseRow('u-1', { email_confirmed_at: null })),
        { type: 'user.created', uid: 'u-1', emailVerified: true },
      ],
      ['another change', change('UPDATE', supabaseRow('u-1'), supabaseRow('u-1')), { type: 'ignored' }],
      ['a row that went', change('DELETE', null, supabaseRow('u-1')), { type: 'user.deleted', uid: 'u-1' }],
      [
        'a row that was marked as deleted, anonymous or not',
        change(
          'UPDATE',
          supabaseRow('u-1', { is_anonymous: true, deleted_at: '2026-11-22T10:00:00+00:00' }),
          supabaseRow('u-1', { is_anonymous: true, deleted_at: null }),
        ),
        { type: 'user.deleted', uid: 'u-1', eventId: 'deleted:u-1' },
      ],
      [
        'control: a row that is not marked',
        change('UPDATE', supabaseRow('u-1', { deleted_at: null }), supabaseRow('u-1')),
        { type: 'ignored' },
      ],
      [
        'a change of a row that bears the mark already',
        change(
          'UPDATE',
          supabaseRow('u-1', { deleted_at: 'then' }),
          supabaseRow('u-1', { deleted_at: 'then', email_confirmed_at: null }),
        ),
        { type: 'ignored' },
      ],
      ['an anonymous user', change('INSERT', supabaseRow('u-1', { is_anonymous: true }), null), { type: 'ignored' }],
      ['another table', { ...change('INSERT', { id: 'u-1' }, null), schema: 'public' }, { type: 'ignored' }],
      ['the Auth hook before a user exists', supabaseAuthHook('u-1'), { type: 'ignored' }],
    ],
  ],
])('what %s sends', (_provider, read, cases) => {
  test.each(cases)('is understood: %s', (_name, body, expected) => {
    expect(read(body)).toMatchObject(expected)
  })

  test.each([
    ['nothing', null],
    ['a list', []],
    ['no type', {}],
    ['a number', 7],
  ])('is refused with the place when it is %s', (_name, body) => {
    expect(() => read(body)).toThrow(expect.objectContaining({ code: 'invalid_request' }))
  })
})

test.each<[string, ReadProviderEvent, unknown]>([
  ['Clerk', readClerkEvent, clerkUser('', 'verified')],
  ['Auth0', readAuth0Event, auth0User('user.created', '')],
  ['Cognito', readCognitoEvent, cognitoConfirmation('')],
  ['Supabase', readSupabaseEvent, change('INSERT', supabaseRow(''), null)],
])('an event of %s without the id of the user is refused', (_name, read, body) => {
  expect(() => read(body)).toThrow(expect.objectContaining({ code: 'invalid_request' }))
})
