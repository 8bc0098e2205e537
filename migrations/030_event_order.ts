import type { Knex } from 'knex'

/**
 * Events are placed in the order in which they were inserted (a sequence: no lock, and no trust in the clocks of
 * several machines), and the relay remembers how far old ones were removed.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table events add column seq bigint generated always as identity;
    drop index events_unpositioned;
    create index events_unpositioned on events (seq) where position is null;
    alter table relay add column trimmed_position bigint not null default 0;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table relay drop column trimmed_position;
    alter table events drop column seq;
    create index events_unpositioned on events (id) where position is null;
  `)
}
