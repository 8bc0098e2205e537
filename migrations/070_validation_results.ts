import type { Knex } from 'knex'

/** What a user's code was judged to be, by a hash of everything the judgement rests on, so that it is paid for once. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table validation_results (
      user_id uuid not null references users on delete cascade,
      input_hash text not null,
      job_id uuid not null,
      result jsonb not null,
      created_at timestamptz not null default now(),
      primary key (user_id, input_hash)
    );
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table validation_results;
  `)
}
