import type { Knex } from 'knex'

/** The event log: system events, outbox and replay source at once. The relay gives committed rows their position. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table events (
      id uuid primary key,
      position bigint unique,
      user_id uuid references users on delete cascade,
      type text not null,
      subject text,
      data jsonb not null,
      channels text[] not null default '{}',
      time timestamptz not null default now()
    );
    create index events_unpositioned on events (id) where position is null;
    create index events_user_id_position on events (user_id, position);
    create index events_channels on events using gin (channels);
    create index events_subject_position on events (subject, position);
    create index events_time on events (time);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table events;
  `)
}
