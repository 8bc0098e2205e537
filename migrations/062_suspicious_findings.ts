import type { Knex } from 'knex'

/** What the watch has found and told of, so that a finding that lasts is told once; and when it last looked. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table suspicious_findings (
      user_id uuid not null references users on delete cascade,
      code text not null,
      since timestamptz not null,
      seen_at timestamptz not null,
      primary key (user_id, code)
    );
    create table suspicious_watch (
      id integer primary key check (id = 1),
      looked_at timestamptz
    );
    insert into suspicious_watch (id) values (1);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table suspicious_watch;
    drop table suspicious_findings;
  `)
}
