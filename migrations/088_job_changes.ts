import type { Knex } from 'knex'

/**
 * What a chat changed, so that it can be taken back: of each record the fields as they were before, and a hash of what
 * it was afterwards, by which a later change shows. `kept_because` is null where it was taken back.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table job_changes (
      job_id uuid not null references jobs on delete cascade,
      ordinal integer not null,
      type text not null check (type in ('goal', 'task')),
      record_id uuid not null,
      created boolean not null,
      before jsonb,
      after_hash bytea not null,
      undone_at timestamptz,
      kept_because text,
      primary key (job_id, ordinal)
    );
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table job_changes;
  `)
}
