import type { Knex } from 'knex'

/**
 * Due deliveries are taken webhook by webhook and person by person, no longer oldest first over all: the index by time
 * is replaced by one by webhook and time. A webhook whose attempts take long says so, in every process.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table webhooks add column slow boolean not null default false;
    create index webhook_deliveries_due on webhook_deliveries (webhook_id, next_attempt_at, id) where status = 'pending';
    drop index webhook_deliveries_pending;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    create index webhook_deliveries_pending on webhook_deliveries (next_attempt_at) where status = 'pending';
    drop index webhook_deliveries_due;
    alter table webhooks drop column slow;
  `)
}
