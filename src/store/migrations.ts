export interface Migration {
  readonly version: number
  readonly name: string
  /** SQL that both databases understand. A released migration never changes; a new one is added below it. */
  readonly statements: readonly string[]
}

const tenants = `
  create table tenants (
    id text primary key,
    external_key text not null unique,
    project text,
    identity_tenant text,
    uid text,
    state text not null,
    created_at bigint not null,
    deleted_at bigint,
    receipt text
  )`

const berths = `
  create table berths (
    id text primary key,
    tenant_id text references tenants (id),
    state text not null,
    backend text not null,
    cell text not null,
    runner_version integer,
    image text,
    last_error text,
    created_at bigint not null,
    ready_at bigint,
    claimed_at bigint,
    attempts integer not null default 0,
    next_attempt_at bigint not null default 0,
    lease_owner text,
    lease_until bigint not null default 0,
    leased_state text,
    report text
  )`

const runs = `
  create table runs (
    id text primary key,
    tenant_id text not null references tenants (id),
    berth_id text references berths (id),
    status text not null,
    language text not null,
    created_at bigint not null,
    finished_at bigint,
    attempts integer not null default 0,
    lease_owner text,
    lease_until bigint not null default 0,
    cancel_requested integer not null default 0,
    request text,
    record text not null
  )`

const idempotencyKeys = `
  create table idempotency_keys (
    tenant_id text not null references tenants (id),
    key_hash text not null,
    request_hash text not null,
    run_id text not null references runs (id) on delete cascade,
    expires_at bigint not null,
    primary key (tenant_id, key_hash)
  )`

const events = `
  create table events (
    event_key text primary key,
    tenant_id text not null references tenants (id),
    received_at bigint not null
  )`

const serviceKeys = `
  create table service_keys (
    id text primary key,
    name text not null,
    role text not null,
    project text,
    hash text not null unique,
    created_at bigint not null,
    last_used_at bigint,
    revoked_at bigint
  )`

export const migrations: readonly Migration[] = [
  {
    version: 1,
    name: 'tenants, berths, runs and keys',
    statements: [
      tenants,
      `create index tenants_in_order on tenants (created_at, id)`,
      `create index tenants_deprovisioning on tenants (id) where state = 'deprovisioning'`,
      berths,
      // The promise itself: never two living berths of one tenant, whatever races.
      `create unique index berths_one_per_tenant on berths (tenant_id) where state <> 'deleted'`,
      `create index berths_by_tenant on berths (tenant_id)`,
      `create index berths_in_order on berths (created_at, id)`,
      `create index berths_spare on berths (state, ready_at) where tenant_id is null`,
      `create index berths_due on berths (next_attempt_at) where state in ('provisioning', 'deprovisioning')`,
      runs,
      `create index runs_of_tenant on runs (tenant_id, created_at, id)`,
      `create index runs_of_tenant_by_status on runs (tenant_id, status, created_at, id)`,
      `create index runs_pending on runs (created_at, id) where finished_at is null`,
      `create index runs_finished on runs (finished_at) where finished_at is not null`,
      idempotencyKeys,
      `create index idempotency_keys_by_expiry on idempotency_keys (expires_at)`,
      `create index idempotency_keys_by_run on idempotency_keys (run_id)`,
      events,
      `create index events_by_age on events (received_at)`,
      `create index events_by_tenant on events (tenant_id)`,
      serviceKeys,
    ],
  },
  {
    version: 2,
    name: 'tenants take turns in the queue',
    statements: [
      `alter table runs add column turn_at bigint not null default 0`,
      `update runs set turn_at = created_at`,
      `drop index runs_pending`,
      `create index runs_in_turn on runs (turn_at, id) where finished_at is null`,
      `create index runs_pending_of_tenant on runs (tenant_id) where finished_at is null`,
    ],
  },
  {
    version: 3,
    name: 'tenants move between backends',
    statements: [
      `alter table berths add column moving_of text references tenants (id)`,
      `alter table berths add column keep_files integer not null default 0`,
      `create unique index berths_one_move_per_tenant on berths (moving_of) where state <> 'deleted'`,
      `create index berths_by_move on berths (moving_of)`,
    ],
  },
  {
    version: 4,
    name: 'berths say whose they are',
    statements: [
      `alter table berths add column owner_due integer not null default 0`,
      `update berths set owner_due = 1 where tenant_id is not null and state <> 'deleted'`,
      `create index berths_owner_due on berths (id) where owner_due > 0`,
    ],
  },
  {
    version: 5,
    name: 'berths are counted by indexes',
    statements: [
      // In the order of the counts' groups, and with all that they look at, so that no row is read and nothing is sorted.
      `create index berths_counted on berths (state, backend, cell, tenant_id, moving_of)`,
      `create index tenants_of_project on tenants (project, id) where project is not null`,
    ],
  },
]
