import type { Knex } from 'knex'

/** The ledger: one model_calls row is one physical request, its shares say which job and step has which part. It outlives jobs and people. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table prices (
      id uuid primary key,
      model text not null,
      input_per_million numeric(18, 6) not null check (input_per_million >= 0),
      cached_input_per_million numeric(18, 6) not null check (cached_input_per_million >= 0),
      output_per_million numeric(18, 6) not null check (output_per_million >= 0),
      valid_from timestamptz not null,
      created_at timestamptz not null default now(),
      unique (model, valid_from)
    );
    create table model_calls (
      id uuid primary key,
      kind text not null check (kind in ('chat', 'embedding')),
      model text not null,
      price_id uuid references prices,
      state text not null check (state in ('intended', 'settled', 'estimated', 'unknown')),
      prompt_tokens bigint not null default 0,
      cached_tokens bigint not null default 0,
      completion_tokens bigint not null default 0,
      reasoning_tokens bigint not null default 0,
      cost_pico bigint not null default 0,
      worst_case_pico bigint not null default 0,
      request_id text,
      error text,
      latency_ms integer,
      created_at timestamptz not null default now(),
      settled_at timestamptz
    );
    create index model_calls_created_at on model_calls (created_at);
    create index model_calls_model on model_calls (model, created_at);
    create index model_calls_intended on model_calls (created_at) where state = 'intended';
    create table model_call_shares (
      call_id uuid not null references model_calls on delete cascade,
      ordinal integer not null,
      job_id uuid not null,
      user_id uuid,
      action rate_limit_action not null,
      step text not null,
      input_hash text not null,
      run integer not null,
      prompt_tokens bigint not null default 0,
      cached_tokens bigint not null default 0,
      completion_tokens bigint not null default 0,
      reasoning_tokens bigint not null default 0,
      cost_pico bigint not null default 0,
      response jsonb,
      created_at timestamptz not null default now(),
      primary key (call_id, ordinal)
    );
    create index model_call_shares_step on model_call_shares (job_id, step, input_hash);
    create index model_call_shares_user_id on model_call_shares (user_id, created_at);
    create index model_call_shares_created_at on model_call_shares (created_at);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table model_call_shares;
    drop table model_calls;
    drop table prices;
  `)
}
