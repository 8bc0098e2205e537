import type { Knex } from 'knex'

/**
 * What newcomers need and may. Invitations by the hash of their code, for installations whose registration is not open.
 * And a default budget that is there only when an administrator has set one: until then what the environment names holds.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table invitations (
      id uuid primary key,
      code_hash bytea not null unique,
      hint text not null,
      email text,
      expires_at timestamptz not null,
      created_by uuid references users on delete set null,
      used_at timestamptz,
      used_by uuid references users on delete set null,
      created_at timestamptz not null default now()
    );
    create index invitations_created_by on invitations (created_by);
    create index invitations_used_by on invitations (used_by);
    delete from default_budget where daily_pico is null and monthly_pico is null;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    insert into default_budget (id) values (1) on conflict do nothing;
    drop table invitations;
  `)
}
