import type { Knex } from 'knex'

/**
 * Since when and why a sink of the relay, or other work beside the jobs, fails: any process can show it. A worker writes
 * a row for each work it does, when that begins or ceases to fail and every few seconds besides.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table relay_cursors
      add column failing_since timestamptz,
      add column failure_code text,
      add column failure_message text;
    create table background_work (
      work text,
      worker text,
      succeeded_at timestamptz,
      failing_since timestamptz,
      failure_code text,
      failure_message text,
      updated_at timestamptz not null default now(),
      primary key (work, worker)
    );
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table background_work;
    alter table relay_cursors drop column failing_since, drop column failure_code, drop column failure_message;
  `)
}
