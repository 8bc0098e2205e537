import type { Knex } from 'knex'

/**
 * Each event is updated once, when it gets its position, and leaves a dead entry among those that wait for one, which
 * the relay walks over. In a large table the usual fifth of all rows would be too many of them.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('alter table events set (autovacuum_vacuum_scale_factor = 0.02)')
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('alter table events reset (autovacuum_vacuum_scale_factor)')
}
