import type { Knex } from 'knex'

/** Names that clients gave their records in bulk calls, so that the same call twice creates nothing twice. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table client_ids (
      user_id uuid not null references users on delete cascade,
      type text not null check (type in ('course', 'goal', 'task', 'code_snapshot', 'document')),
      client_id text not null,
      record_id uuid not null,
      primary key (user_id, type, client_id)
    );
    create index client_ids_record_id on client_ids (record_id);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table client_ids;
  `)
}
