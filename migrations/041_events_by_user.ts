import type { Knex } from 'knex'

/** Lists of a user's events show the newest first, also those that have no position yet. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create index events_user_id_id on events (user_id, id desc);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop index events_user_id_id;
  `)
}
