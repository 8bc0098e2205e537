import type { Knex } from 'knex'

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table tasks (
      id uuid primary key,
      goal_id uuid not null references goals on delete cascade,
      user_id uuid not null references users on delete cascade,
      title text not null,
      description text,
      status text not null default 'pending' check (status in ('pending', 'in_progress', 'completed')),
      position integer not null default 0,
      due_at timestamptz,
      completed_at timestamptz,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    create index tasks_user_id_id on tasks (user_id, id desc);
    create index tasks_goal_id_id on tasks (goal_id, id desc);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table tasks;
  `)
}
