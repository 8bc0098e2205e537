import type { Knex } from 'knex'

/** One row, which health checks write: whether the database takes writes shows only when it is asked to. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table health_checks (
      id smallint primary key check (id = 1),
      checked_at timestamptz not null
    );
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table health_checks')
}
