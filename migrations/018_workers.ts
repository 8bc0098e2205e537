import type { Knex } from 'knex'

/**
 * Worker processes and when each was last heard of, by the database's clock: an active job whose worker lives is
 * left alone even after Redis lost every lock.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table workers (
      id text primary key,
      queues text[] not null,
      started_at timestamptz not null default now(),
      seen_at timestamptz not null default now()
    );
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table workers')
}
