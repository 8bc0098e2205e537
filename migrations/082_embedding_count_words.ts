import type { Knex } from 'knex'
import { countEmbeddings } from './021_embedding_counts.ts'

/**
 * Rows that were added up to no chunks were dropped with the words they still stood for: one chunk in, a shorter one
 * out. What was lost that way is counted anew.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create or replace ${countEmbeddings('sum(n) <> 0 or sum(words) <> 0')}
    lock table embeddings in share mode;
    truncate embedding_counts;
    insert into embedding_counts (model, owner_id, course_id, scope, source_type, config, n, words)
      select model, owner_id, course_id, scope, source_type, config, count(*), sum(length(tsv)) from embeddings
      group by model, owner_id, course_id, scope, source_type, config;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`create or replace ${countEmbeddings('sum(n) <> 0')}`)
}
