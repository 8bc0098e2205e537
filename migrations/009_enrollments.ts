import type { Knex } from 'knex'

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table enrollments (
      course_id uuid not null references courses on delete cascade,
      user_id uuid not null references users on delete cascade,
      created_at timestamptz not null default now(),
      primary key (course_id, user_id)
    );
    create index enrollments_user_id on enrollments (user_id, course_id);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table enrollments;
  `)
}
