import type { Knex } from 'knex'

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

/**
 * The trigger's function, to be created or replaced.
 * @param rest which rows are still worth keeping once the rows of an owner have been added up
 */
function countEmbeddings(rest: string): string {
  return `
    function count_embeddings() returns trigger language plpgsql set search_path from current as $$
    declare
      most_rows constant int := 16;
      changes text := case tg_op
        when 'INSERT' then 'select 1 as sign, r.* from new_rows r'
        when 'DELETE' then 'select -1 as sign, r.* from old_rows r'
        else 'select 1 as sign, r.* from new_rows r union all select -1, r.* from old_rows r'
      end;
    begin
      execute format($q$
        insert into embedding_counts (model, owner_id, course_id, scope, source_type, config, n, words)
        select model, owner_id, course_id, scope, source_type, config, sum(sign), sum(sign * length(tsv))
        from (%s) c group by model, owner_id, course_id, scope, source_type, config
        having sum(sign) <> 0 or sum(sign * length(tsv)) <> 0 $q$, changes);
      execute format($q$
        insert into word_counts (model, word, n)
        select c.model, w.lexeme, sum(c.sign) from (%s) c, unnest(c.tsv) w
        group by c.model, w.lexeme having sum(c.sign) <> 0 $q$, changes);
      execute format($q$
        with long as (
          select k.model, k.owner_id, k.course_id from embedding_counts k
          where (k.model, k.owner_id) in (select model, owner_id from (%s) c)
          group by k.model, k.owner_id, k.course_id having count(*) > %s
        ), gone as (
          delete from embedding_counts where ctid = any (array(
            select k.ctid from embedding_counts k join long l on l.model = k.model and l.owner_id = k.owner_id
              and l.course_id is not distinct from k.course_id
            for update of k skip locked))
          returning *
        )
        insert into embedding_counts (model, owner_id, course_id, scope, source_type, config, n, words)
        select model, owner_id, course_id, scope, source_type, config, sum(n), sum(words) from gone
        group by model, owner_id, course_id, scope, source_type, config having ${rest} $q$, changes, most_rows);
      execute format($q$
        with long as (
          select k.model, k.word from word_counts k
          join (select distinct c.model, w.lexeme from (%s) c, unnest(c.tsv) w) c on c.model = k.model and c.lexeme = k.word
          group by k.model, k.word having count(*) > %s
        ), gone as (
          delete from word_counts where ctid = any (array(
            select k.ctid from word_counts k join long l on l.model = k.model and l.word = k.word
            for update of k skip locked))
          returning *
        )
        insert into word_counts (model, word, n)
        select model, word, sum(n) from gone group by model, word having sum(n) <> 0 $q$, changes, most_rows);
      return null;
    end
    $$;`
}
