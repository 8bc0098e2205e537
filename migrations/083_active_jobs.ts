import type { Knex } from 'knex'

/** Active jobs are looked up several times a second by every worker, and are few beside those that wait. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`create index jobs_active on jobs (worker) where status = 'active'`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop index jobs_active')
}
