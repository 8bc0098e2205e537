import type { Knex } from 'knex'

/** People. An e-mail is unique without regard to case. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table users (
      id uuid primary key,
      email text not null,
      password_hash text not null,
      name text not null default '',
      role text not null default 'user' check (role in ('user', 'admin')),
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    create unique index users_email_key on users (lower(email));
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table users;
  `)
}
