import type { Knex } from 'knex'

/** The job row is the job: the only record of state, attempts and results. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table jobs (
      id uuid primary key,
      user_id uuid not null references users on delete cascade,
      action rate_limit_action not null,
      origin text not null default 'user' check (origin in ('user', 'system')),
      status text not null default 'queued' check (status in ('queued', 'active', 'completed', 'failed', 'cancelled')),
      input jsonb not null,
      result jsonb,
      error jsonb,
      progress jsonb,
      run integer not null default 0,
      attempts integer not null default 0,
      max_attempts integer not null,
      crashes integer not null default 0,
      run_at timestamptz not null default now(),
      retry_of uuid references jobs on delete set null,
      idempotency_key text,
      request_hash text,
      idempotency_expires_at timestamptz,
      source_type text,
      source_id uuid,
      thread_id uuid,
      decision_id uuid,
      decision_at timestamptz,
      reserved_pico bigint not null default 0,
      reserved_day date,
      worker text,
      created_at timestamptz not null default now(),
      started_at timestamptz,
      finished_at timestamptz
    );
    create unique index jobs_idempotency_key on jobs (user_id, idempotency_key) where idempotency_key is not null;
    create unique index jobs_one_queued_for_a_source on jobs (source_type, source_id)
      where origin = 'system' and status = 'queued';
    create index jobs_user_id_id on jobs (user_id, id desc);
    create index jobs_open on jobs (run_at) where status in ('queued', 'active');
    create index jobs_failed on jobs (action, id) where status = 'failed';
    create index jobs_open_of_thread on jobs (thread_id, id) where status in ('queued', 'active') and thread_id is not null;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table jobs;
  `)
}
