import type { Knex } from 'knex'

/**
 * Members of shared batches that failed by themselves, put aside so that the others go on. `kind` says whose work it
 * was, `key` names the member, and `payload` holds what cannot be read anywhere else. `retry_at` is when it is tried
 * again; without one it waits for an administrator.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table dead_letters (
      id uuid primary key,
      kind text not null,
      key text not null,
      payload jsonb,
      code text not null,
      message text not null,
      attempts integer not null default 1,
      created_at timestamptz not null default now(),
      failed_at timestamptz not null default now(),
      retry_at timestamptz,
      unique (kind, key)
    );
    create index dead_letters_kind_id on dead_letters (kind, id desc);
    create index dead_letters_retry_at on dead_letters (retry_at) where retry_at is not null;
    create index dead_letters_failed_at on dead_letters (failed_at);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table dead_letters')
}
