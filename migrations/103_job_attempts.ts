import type { Knex } from 'knex'

/**
 * How each attempt of a job ended, one row for a run that is over; the run that goes on is in the row of the job. And
 * since when that one runs, and what a job waits for until its `run_at`.
 *
 * Processes of the version before know none of this: a run that they end leaves no row.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table job_attempts (
      job_id uuid not null references jobs on delete cascade,
      run integer not null,
      attempt integer not null,
      worker text not null,
      started_at timestamptz not null,
      ended_at timestamptz not null,
      outcome text not null check (
        outcome in ('completed', 'retried', 'failed', 'crashed', 'drained', 'cancelled', 'overtaken')),
      error jsonb,
      next_at timestamptz,
      wait_reason text,
      primary key (job_id, run)
    );
    alter table jobs add column run_started_at timestamptz, add column wait_reason text;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table jobs drop column run_started_at, drop column wait_reason;
    drop table job_attempts;
  `)
}
