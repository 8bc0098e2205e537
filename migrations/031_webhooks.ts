import type { Knex } from 'knex'

/**
 * Webhooks and their deliveries. A delivery keeps what it sends, so that a repeat is the same and needs no log; one
 * event makes one delivery for a webhook, however often the relay offers it, but for those asked for by hand.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table webhooks (
      id uuid primary key,
      user_id uuid not null references users on delete cascade,
      url text not null,
      events text[] not null,
      secret text not null,
      enabled boolean not null default true,
      disabled_reason text,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    create index webhooks_user_id_id on webhooks (user_id, id desc);
    create table webhook_deliveries (
      id uuid primary key,
      webhook_id uuid not null references webhooks on delete cascade,
      event_id uuid not null,
      event_type text not null,
      position bigint not null,
      body text not null,
      redelivery_of uuid references webhook_deliveries on delete set null,
      status text not null default 'pending' check (status in ('pending', 'delivered', 'failed')),
      attempts integer not null default 0,
      next_attempt_at timestamptz default now(),
      response_status integer,
      error text,
      delivered_at timestamptz,
      created_at timestamptz not null default now()
    );
    create unique index webhook_deliveries_event on webhook_deliveries (webhook_id, event_id) where redelivery_of is null;
    create index webhook_deliveries_webhook_id_id on webhook_deliveries (webhook_id, id desc);
    create index webhook_deliveries_pending on webhook_deliveries (next_attempt_at) where status = 'pending';
    create index webhook_deliveries_created_at on webhook_deliveries (created_at);
    create index webhook_deliveries_redelivery_of on webhook_deliveries (redelivery_of) where redelivery_of is not null;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table webhook_deliveries;
    drop table webhooks;
  `)
}
