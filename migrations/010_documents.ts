import type { Knex } from 'knex'

/** Knowledge: of a course, or global when it names none. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table documents (
      id uuid primary key,
      owner_id uuid not null references users on delete cascade,
      course_id uuid references courses on delete cascade,
      title text not null,
      markdown text not null,
      chunks integer not null default 0,
      embedded_at timestamptz,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    create index documents_course_id_id on documents (course_id, id desc);
    create index documents_owner_id_id on documents (owner_id, id desc);
    create index documents_global on documents (id desc) where course_id is null;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table documents;
  `)
}
