import type { Knex } from 'knex'

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table code_snapshots (
      id uuid primary key,
      user_id uuid not null references users on delete cascade,
      task_id uuid references tasks on delete set null,
      language text not null,
      source text not null,
      path text,
      note text,
      size_bytes integer not null,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    create index code_snapshots_user_id_id on code_snapshots (user_id, id desc);
    create index code_snapshots_task_id_id on code_snapshots (task_id, id desc);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table code_snapshots;
  `)
}
