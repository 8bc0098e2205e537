import type { Knex } from 'knex'

/** Finds the job that an equal request of the same person made: one of OpenAI's clients says when it repeats itself. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create index jobs_same_request on jobs (user_id, request_hash, id desc) where request_hash is not null
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop index jobs_same_request')
}
