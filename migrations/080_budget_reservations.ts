import type { Knex } from 'knex'

/**
 * What a job has reserved of its user's budget, and how much of each call has been counted as spent. `budgeted` tells
 * a job that may spend its reservation only from one whose user has no budget.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table jobs add column budgeted boolean not null default false;
    alter table jobs alter column reserved_day set default (now() at time zone 'utc')::date;
    alter table model_call_shares add column worst_case_pico bigint not null default 0;
    alter table model_call_shares add column counted_pico bigint;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table model_call_shares drop column counted_pico;
    alter table model_call_shares drop column worst_case_pico;
    alter table jobs alter column reserved_day drop default;
    alter table jobs drop column budgeted;
  `)
}
