import type { Knex } from 'knex'

/**
 * Counts that a search plans and weighs by: chunks for each owner and course, and chunks that hold a word.
 *
 * Both tables are ledgers: a statement that writes embeddings adds rows with what it changed, and a count is the sum
 * of its rows. Nobody waits for anybody, no order of locks can be wrong, and a count is right in the snapshot that
 * reads it. Counts with more than 16 rows are added up by the statement that finds them so; rows that another
 * transaction is adding up at that moment are left to it. Words are counted for each model, so that a second model
 * beside the first changes no weight.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table embedding_counts (
      model text not null,
      owner_id uuid not null,
      course_id uuid,
      scope text not null,
      source_type text not null,
      config text not null,
      n bigint not null,
      words bigint not null
    );
    create index embedding_counts_owner_id on embedding_counts (owner_id, model);
    create index embedding_counts_course_id on embedding_counts (course_id, model);
    create index embedding_counts_model on embedding_counts (model, scope);

    create table word_counts (
      model text not null,
      word text not null,
      n bigint not null
    );
    create index word_counts_word on word_counts (word, model) include (n);

    create ${countEmbeddings('sum(n) <> 0')}

    create trigger embeddings_inserted after insert on embeddings
      referencing new table as new_rows for each statement execute function count_embeddings();
    create trigger embeddings_deleted after delete on embeddings
      referencing old table as old_rows for each statement execute function count_embeddings();
    create trigger embeddings_updated after update on embeddings
      referencing new table as new_rows old table as old_rows for each statement execute function count_embeddings();

    insert into embedding_counts (model, owner_id, course_id, scope, source_type, config, n, words)
      select model, owner_id, course_id, scope, source_type, config, count(*), sum(length(tsv)) from embeddings
      group by model, owner_id, course_id, scope, source_type, config;
    insert into word_counts (model, word, n)
      select e.model, w.lexeme, count(*) from embeddings e, unnest(e.tsv) w group by e.model, w.lexeme;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop trigger embeddings_updated on embeddings;
    drop trigger embeddings_deleted on embeddings;
    drop trigger embeddings_inserted on embeddings;
    drop function count_embeddings();
    drop table word_counts;
    drop table embedding_counts;
  `)
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
