import type { Knex } from 'knex'

/** Logins with a wrong password for a person who exists: what the rule `failed_logins` counts. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table failed_logins (
      id bigint generated always as identity primary key,
      user_id uuid not null references users on delete cascade,
      ip text not null,
      created_at timestamptz not null default now()
    );
    create index failed_logins_created_at on failed_logins (created_at, user_id);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table failed_logins')
}
