import type { Knex } from 'knex'

/** How long a job has waited in all without using up an attempt, because the provider said "not now": a bounded time. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`alter table jobs add column waited_ms bigint not null default 0`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`alter table jobs drop column waited_ms`)
}
