import type { Knex } from 'knex'

/** API keys (stored hashed) and the sessions behind JWTs (the token's jti), so that either can be revoked at once. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table api_keys (
      id uuid primary key,
      user_id uuid not null references users on delete cascade,
      name text not null,
      key_hash bytea not null unique,
      hint text not null,
      expires_at timestamptz,
      revoked_at timestamptz,
      last_used_at timestamptz,
      created_at timestamptz not null default now()
    );
    create index api_keys_user_id on api_keys (user_id, id desc);
    create table sessions (
      id uuid primary key,
      user_id uuid not null references users on delete cascade,
      expires_at timestamptz not null,
      revoked_at timestamptz,
      created_at timestamptz not null default now()
    );
    create index sessions_user_id on sessions (user_id);
    create index sessions_expires_at on sessions (expires_at);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table sessions;
    drop table api_keys;
  `)
}
