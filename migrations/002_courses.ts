import type { Knex } from 'knex'

/** Courses. The language is the natural one of its texts; a programming language is its subject. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table courses (
      id uuid primary key,
      owner_id uuid not null references users on delete cascade,
      title text not null,
      description text,
      language text not null default 'en',
      subject text,
      visibility text not null default 'private' check (visibility in ('private', 'enrolled', 'public')),
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    create index courses_owner_id_id on courses (owner_id, id desc);
    create index courses_public on courses (id desc) where visibility = 'public';
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table courses;
  `)
}
