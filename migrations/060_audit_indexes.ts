import type { Knex } from 'knex'

/**
 * Lists that filter by action, outcome or both read at most a page from each pair of them, already in order, however
 * rare the pair is. Rows are completed once by their job: room in each page keeps that from touching every index.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create index rate_limit_audits_kind on rate_limit_audits (action, outcome, created_at desc, id desc);
    create index rate_limit_audits_user_kind on rate_limit_audits
      (user_id, action, outcome, created_at desc, id desc);
    alter table rate_limit_audits set (fillfactor = 85);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table rate_limit_audits reset (fillfactor);
    drop index rate_limit_audits_user_kind;
    drop index rate_limit_audits_kind;
  `)
}
