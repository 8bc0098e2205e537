import type { Knex } from 'knex'

/** The lease of the one relay, and how far each sink has confirmed the log. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table relay (
      id integer primary key check (id = 1),
      holder text,
      epoch bigint not null default 0,
      expires_at timestamptz not null default now(),
      last_position bigint not null default 0
    );
    insert into relay (id) values (1);
    create table relay_cursors (
      sink text primary key,
      position bigint not null default 0,
      updated_at timestamptz not null default now()
    );
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table relay_cursors;
    drop table relay;
  `)
}
