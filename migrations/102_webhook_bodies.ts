import type { Knex } from 'knex'

/**
 * What is sent is kept once for each event, not once for each of its deliveries: a person with twenty webhooks made
 * twenty copies of it in a batch that everybody waits for. Deliveries that are there already keep their own.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table webhook_bodies (
      event_id uuid primary key,
      body text not null,
      created_at timestamptz not null default now()
    );
    create index webhook_bodies_created_at on webhook_bodies (created_at);
    create index webhook_deliveries_event_id on webhook_deliveries (event_id);
    alter table webhook_deliveries alter column body drop not null;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    update webhook_deliveries d set body = b.body from webhook_bodies b where b.event_id = d.event_id and d.body is null;
    delete from webhook_deliveries where body is null;
    alter table webhook_deliveries alter column body set not null;
    drop index webhook_deliveries_event_id;
    drop table webhook_bodies;
  `)
}
