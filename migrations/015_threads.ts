import type { Knex } from 'knex'

/** Conversations. A job adds its two messages with its effect, so a cancelled run leaves no half turn. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table threads (
      id uuid primary key,
      user_id uuid not null references users on delete cascade,
      title text not null,
      summary text,
      summarised_through integer not null default 0,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    create index threads_user_id on threads (user_id, id desc);
    create table thread_messages (
      id uuid primary key,
      thread_id uuid not null references threads on delete cascade,
      ordinal integer not null,
      role text not null check (role in ('user', 'assistant')),
      content text not null,
      job_id uuid not null,
      created_at timestamptz not null default now(),
      unique (thread_id, ordinal),
      unique (job_id, role)
    );
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table thread_messages;
    drop table threads;
  `)
}
