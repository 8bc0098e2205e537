import type { Knex } from 'knex'

/** One row for each decision of the gate, completed by its job. Times and ids are the decision's own. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create type rate_limit_action as enum
      ('api_call', 'embedding_generation', 'chat_completion', 'code_validation', 'rag_search', 'bulk_create');
    create type rate_limit_outcome as enum ('allowed', 'blocked', 'degraded');
    create table rate_limit_audits (
      id uuid primary key,
      user_id uuid references users on delete set null,
      action rate_limit_action not null,
      outcome rate_limit_outcome not null,
      method text,
      path text,
      ip text,
      user_agent text,
      limits jsonb,
      job_id uuid,
      model text,
      prompt_tokens bigint,
      completion_tokens bigint,
      total_tokens bigint,
      cost_pico bigint,
      latency_ms integer,
      created_at timestamptz not null
    );
    create index rate_limit_audits_created_at on rate_limit_audits (created_at desc, id desc);
    create index rate_limit_audits_user_id on rate_limit_audits (user_id, created_at desc);
    create index rate_limit_audits_action on rate_limit_audits (action, created_at desc);
    create index rate_limit_audits_outcome on rate_limit_audits (outcome, created_at desc);
    create index rate_limit_audits_ip on rate_limit_audits (ip, created_at desc);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table rate_limit_audits;
    drop type rate_limit_outcome;
    drop type rate_limit_action;
  `)
}
