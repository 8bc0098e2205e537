import type { Knex } from 'knex'

/**
 * The one way to search. Its first three arguments are the scope, and nothing outside of it can be found.
 *
 * - `user`: rows whose owner `p_user` is
 * - `course`: documents of `p_course`, and rows of `p_user` in it; nothing unless `p_user` sees the course
 * - `global`: documents of no course and of public courses
 * - anything else, or a scope with a part missing, finds nothing
 *
 * Two halves, each a list of sources by their best chunk: nearest by `p_vector`, and best by the words of `p_words`
 * (BM25's saturation and inverse document frequency, Robertson and Zaragoza 2009, over `ts_rank` of each word, which
 * saturates with repetition and weighs titles above headings above text). They are joined by weighted reciprocal
 * ranks (Cormack, Clarke and Büttcher 2009): a hit's rank by words counts as far as the hit has the words asked for, so
 * that the half which knows more decides. Scaled so that the first by vector and by words, with all of them, is 1.
 *
 * The vector half is exact while the scope holds at most `p_exact_rows` chunks, by the kept counts; beyond that it goes
 * through the HNSW index with iterative scan, and is exact after all when that yields fewer than `p_limit` sources.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create function sees_course(p_user uuid, p_course uuid) returns boolean language sql stable as $$
      select exists (
        select 1 from courses c where c.id = p_course and (
          c.owner_id = p_user or c.visibility = 'public'
          or exists (select 1 from enrollments n where n.course_id = c.id and n.user_id = p_user)
          or exists (select 1 from users u where u.id = p_user and u.role = 'admin')))
    $$;

    create function quote_word(word text) returns text language sql immutable parallel safe as $$
      select '''' || replace(replace(word, '\\', '\\\\'), '''', '''''') || ''''
    $$;

    create function search_embeddings(
      p_scope text,
      p_user uuid,
      p_course uuid,
      p_model text,
      p_vector vector,
      p_words text,
      p_phrases text[],
      p_excluded text[],
      p_types text[],
      p_in_course uuid,
      p_tasks uuid[],
      p_languages text[],
      p_not_source uuid,
      p_limit int,
      p_exact_rows int,
      p_vector_weight float8,
      p_words_weight float8
    ) returns table (
      strategy text, source_type text, source_id uuid, chunk int, owner_id uuid, title text, heading text, content text,
      score float8, vector_rank int, words_rank int, nearness float8, coverage float8
    ) language plpgsql
    set search_path from current
    set jit = off
    set enable_sort = on
    set enable_seqscan = on
    set hnsw.iterative_scan = strict_order
    set hnsw.ef_search = 200
    set hnsw.max_scan_tuples = 40000
    as $$
    declare
      k constant float8 := 10;
      depth constant int := greatest(50, 2 * p_limit);
      most_words constant int := 32;
      most_found constant int := 3000;
      scope_sql text;
      filter_sql text;
      rows_in_scope bigint;
      rows_to_search bigint;
      rows_of_model bigint;
      mean_words float8;
      configs text[];
      words text[];
      idfs float8[];
      idf_asked float8;
      vector_weight float8 := case when p_vector is null then 0 else p_vector_weight end;
      words_weight float8 := case when p_words is null then 0 else p_words_weight end;
      finding text;
      phrases tsquery;
      excluded tsquery;
      used text := 'exact';
      found record;
      v_keys text[] := '{}';
      v_ids uuid[] := '{}';
      v_distances float8[] := '{}';
      w_met float8[] := '{}';
      w_keys text[] := '{}';
      w_ids uuid[] := '{}';
    begin
      -- What of the table exists for this call. Both SQL fragments hold for the rows and for their counts alike.
      if p_scope = 'user' and p_user is not null then
        scope_sql := 'e.owner_id = $2';
      elsif p_scope = 'course' and p_user is not null and p_course is not null and sees_course(p_user, p_course) then
        scope_sql := '(e.course_id = $3 and (e.scope = ''course'' or e.owner_id = $2))';
      elsif p_scope = 'global' then
        scope_sql := '(e.scope = ''global'' or (e.scope = ''course'' and e.course_id in
          (select c.id from courses c where c.visibility = ''public'')))';
      else
        return;
      end if;
      scope_sql := 'e.model = $1 and ' || scope_sql
        || case when p_types is null then '' else ' and e.source_type = any ($4)' end
        || case when p_in_course is null then '' else ' and e.course_id = $5' end;

      execute 'select coalesce(sum(e.n), 0), array_agg(distinct e.config) from embedding_counts e where ' || scope_sql
        into rows_in_scope, configs using p_model, p_user, p_course, p_types, p_in_course;
      if rows_in_scope <= 0 then return; end if;

      select string_agg('(' || q || ')', ' & ')::tsquery into phrases from (
        select string_agg(phraseto_tsquery(c::regconfig, p)::text, ' | ') as q
        from unnest(p_phrases) p, unnest(configs) c where numnode(phraseto_tsquery(c::regconfig, p)) > 0 group by p) x;
      select string_agg('(' || phraseto_tsquery(c::regconfig, p)::text || ')', ' | ')::tsquery into excluded
        from unnest(p_excluded) p, unnest(configs) c where numnode(phraseto_tsquery(c::regconfig, p)) > 0;

      filter_sql := scope_sql
        || case when p_tasks is null then '' else ' and e.task_id = any ($6)' end
        || case when p_languages is null then '' else ' and (e.language = any ($7) or e.subject = any ($7))' end
        || case when p_not_source is null then '' else ' and e.source_id <> $8' end
        || case when phrases is null then '' else ' and e.tsv @@ $9' end
        || case when excluded is null then '' else ' and not e.tsv @@ $10' end;

      if vector_weight > 0 then
        rows_to_search := rows_in_scope;
        if rows_in_scope > p_exact_rows
          and num_nonnulls(p_tasks, p_languages, phrases, excluded) > 0 then
          -- The kept counts know nothing of the other filters: few rows behind them need no index either.
          execute 'select count(*) from (select 1 from embeddings e where ' || filter_sql || ' limit $11 + 1) f'
            into rows_to_search
            using p_model, p_user, p_course, p_types, p_in_course, p_tasks, p_languages, p_not_source, phrases, excluded,
              p_exact_rows;
        end if;
        if rows_to_search > p_exact_rows then
          used := 'hnsw';
          perform set_config('enable_sort', 'off', true), set_config('enable_seqscan', 'off', true);
          for found in execute
            'select e.id, e.source_type || e.source_id as key, e.embedding <=> $11 as distance from embeddings e where ' || filter_sql
            || ' order by e.embedding <=> $11 limit 20000'
            using p_model, p_user, p_course, p_types, p_in_course, p_tasks, p_languages, p_not_source, phrases, excluded,
              p_vector
          loop
            if not found.key = any (v_keys) then
              v_keys := v_keys || found.key;
              v_ids := v_ids || found.id;
              v_distances := v_distances || found.distance;
              exit when cardinality(v_keys) >= depth;
            end if;
          end loop;
          perform set_config('enable_sort', 'on', true), set_config('enable_seqscan', 'on', true);
        end if;
        if used = 'exact' or cardinality(v_keys) < p_limit then
          used := 'exact';
          execute
            'select array_agg(key order by distance, id), array_agg(id order by distance, id),
               array_agg(distance order by distance, id) from (
               select * from (
                 select distinct on (key) * from (
                   select e.id, e.source_type || e.source_id as key, e.embedding <=> $11 as distance
                   from embeddings e where ' || filter_sql || ') a
                 order by key, distance, id) b
               order by distance, id limit $12) c'
            into v_keys, v_ids, v_distances
            using p_model, p_user, p_course, p_types, p_in_course, p_tasks, p_languages, p_not_source, phrases, excluded,
              p_vector, depth;
        end if;
      end if;

      if words_weight > 0 then
        select coalesce(sum(n), 0), sum(c.words)::float8 / nullif(sum(n), 0) into rows_of_model, mean_words
          from embedding_counts c where c.model = p_model;
        with asked as (
          select q.word, coalesce(sum(c.n), 0) as n from (
            select distinct t.lexeme as word
            from unnest(configs) c, unnest(to_tsvector(c::regconfig, p_words || ' ' || split_words(p_words))) t) q
          left join word_counts c on c.model = p_model and c.word = q.word
          group by q.word
        ), weighed as (
          select a.word, a.n, ln(1 + greatest(0, rows_of_model - a.n + 0.5)::float8 / (a.n + 0.5)::float8) as idf
          from asked a order by idf desc, a.word limit most_words)
        select array_agg(w.word order by w.n, w.word) filter (where w.n > 0),
          array_agg(w.idf order by w.n, w.word) filter (where w.n > 0), sum(w.idf)
        into words, idfs, idf_asked from weighed w;
        -- Rare words find; those so common that they would find most of a large scope weigh only.
        select string_agg(quote_word(w.word), ' | ') into finding from (
          select u.word, sum(c.n) as n, sum(sum(c.n)) over (order by sum(c.n), u.word) as up_to
          from unnest(words) u(word) join word_counts c on c.model = p_model and c.word = u.word group by u.word) w
          where rows_in_scope <= most_found or w.up_to <= most_found or w.up_to = w.n;
        if finding is not null then
          execute
            'select array_agg(key order by score desc, id), array_agg(id order by score desc, id),
                 array_agg(met order by score desc, id) from (
               select * from (
                 select distinct on (key) * from (
                   select f.id, f.key, sum(q.idf) as met, sum(q.idf * ts_rank(''{0.15, 0.4, 0.6, 1}'', f.tsv, q.query))
                     / (0.6 + 0.4 * length(f.tsv) / $15) as score
                   from (
                     -- A copy of its own: each word would fetch a long one from outside of the row again.
                     select e.id, e.source_type || e.source_id as key, e.tsv || '''' as tsv
                     from embeddings e where ' || filter_sql || ' and e.tsv @@ $11 limit 6000) f
                   join (
                     select u.idf, quote_word(u.word)::tsquery as query from unnest($12, $13) u(word, idf)) q
                     on f.tsv @@ q.query
                   group by f.id, f.key, f.tsv) a
                 order by key, score desc, id) b
               order by score desc, id limit $14) c'
            into w_keys, w_ids, w_met
            using p_model, p_user, p_course, p_types, p_in_course, p_tasks, p_languages, p_not_source, phrases, excluded,
              finding::tsquery, words, idfs, depth, greatest(mean_words, 1);
        end if;
      end if;

      return query
        with v as (select * from unnest(v_keys, v_ids, v_distances) with ordinality as v(key, id, distance, rank)),
        w as (select * from unnest(w_keys, w_ids, w_met) with ordinality as w(key, id, met, rank)),
        parts as (
          select v.id as v_id, w.id as w_id, v.rank as v_rank, w.rank as w_rank, 1 - v.distance as nearness,
            w.met / idf_asked as coverage,
            coalesce(vector_weight / (k + v.rank), 0) as v_part,
            coalesce(words_weight * case when vector_weight > 0 then w.met / idf_asked else 1 end / (k + w.rank), 0) as w_part
          from v full join w on w.key = v.key),
        joined as (
          select case when p.v_part >= p.w_part then p.v_id else p.w_id end as id,
            least(1, (p.v_part + p.w_part) * (k + 1) / (vector_weight + words_weight)) as score, p.*
          from parts p)
        select used, e.source_type, e.source_id, e.chunk, e.owner_id, e.title, e.heading, e.content, j.score,
          j.v_rank::int, j.w_rank::int, j.nearness, j.coverage
        from joined j join embeddings e on e.id = j.id
        order by j.score desc, j.v_rank, j.w_rank, e.id
        limit p_limit;
    end
    $$;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop function search_embeddings(text, uuid, uuid, text, vector, text, text[], text[], text[], uuid, uuid[], text[], uuid,
      int, int, float8, float8);
    drop function quote_word(text);
    drop function sees_course(uuid, uuid);
  `)
}
