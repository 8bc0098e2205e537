import type { Knex } from 'knex'

/** Goals. Progress is the share of the goal's tasks that are completed, written with the task. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table goals (
      id uuid primary key,
      user_id uuid not null references users on delete cascade,
      course_id uuid references courses on delete set null,
      title text not null,
      description text,
      status text not null default 'active' check (status in ('active', 'completed', 'archived')),
      progress double precision not null default 0 check (progress between 0 and 1),
      due_at timestamptz,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    create index goals_user_id_id on goals (user_id, id desc);
    create index goals_course_id on goals (course_id);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table goals;
  `)
}
