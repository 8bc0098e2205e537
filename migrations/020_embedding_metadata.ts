import type { Knex } from 'knex'

/**
 * What a search filters and weighs by, and one view that says it for every record that is embedded.
 *
 * - `heading`: where in its record the chunk stands; `subject`: of the course, for a programming course its language
 * - `language`: of the chunk itself: the programming language of code, else the natural one of the course
 * - `config`: the text search configuration of its `tsv`, as text (a `regconfig` column stands in the way of pg_upgrade)
 * - a goal whose course is deleted stays, and so do its vectors: hence `on delete set null`
 * - `embedded_sources`: of which text of a record the vectors are, so that an edit of anything else makes no job
 * - uniqueness is checked when a statement ends, so that one statement can renumber chunks
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table embeddings
      add column heading text not null default '',
      add column task_id uuid,
      add column subject text,
      add column config text not null default 'english',
      drop constraint embeddings_course_id_fkey,
      add constraint embeddings_course_id_fkey foreign key (course_id) references courses on delete set null,
      drop constraint embeddings_source_type_source_id_model_chunk_key,
      add constraint embeddings_source_chunk_key unique (source_type, source_id, model, chunk)
        deferrable initially immediate;
    create table embedded_sources (
      source_type text not null,
      source_id uuid not null,
      model text not null,
      text_hash bytea not null,
      chunks integer not null,
      embedded_at timestamptz not null default now(),
      primary key (source_type, source_id, model)
    );
    create index embeddings_content_hash on embeddings (content_hash);
    create index embeddings_task_id on embeddings (task_id) where task_id is not null;

    create function text_config(language text) returns text language sql immutable parallel safe as $$
      select case split_part(lower(coalesce(language, 'en')), '-', 1)
        when 'ar' then 'arabic' when 'hy' then 'armenian' when 'eu' then 'basque' when 'ca' then 'catalan'
        when 'da' then 'danish' when 'nl' then 'dutch' when 'en' then 'english' when 'fi' then 'finnish'
        when 'fr' then 'french' when 'de' then 'german' when 'el' then 'greek' when 'hi' then 'hindi'
        when 'hu' then 'hungarian' when 'id' then 'indonesian' when 'ga' then 'irish' when 'it' then 'italian'
        when 'lt' then 'lithuanian' when 'ne' then 'nepali' when 'no' then 'norwegian' when 'nb' then 'norwegian'
        when 'nn' then 'norwegian' when 'pt' then 'portuguese' when 'ro' then 'romanian' when 'ru' then 'russian'
        when 'sr' then 'serbian' when 'es' then 'spanish' when 'sv' then 'swedish' when 'ta' then 'tamil'
        when 'tr' then 'turkish' when 'yi' then 'yiddish'
        else 'simple'
      end
    $$;

    -- The words that capitals are hidden in, taken apart: parseIntList gives "parse Int List".
    create function split_words(content text) returns text language sql immutable parallel safe as $$
      select coalesce(string_agg(regexp_replace(regexp_replace(word[1],
        '([[:lower:][:digit:]])([[:upper:]])', '\\1 \\2', 'g'), '([[:upper:]])([[:upper:]][[:lower:]])', '\\1 \\2', 'g'),
        ' '), '')
      from regexp_matches(content, '([[:alnum:]]*[[:lower:][:digit:]][[:upper:]][[:alnum:]]*)', 'g') word
    $$;

    -- Titles weigh most, then headings, then text; the parts of compound words least. The title of a piece of code is
    -- its task's: it helps to find the code, and must not put the code before the task.
    create function chunk_tsv(source_type text, config text, title text, heading text, content text) returns tsvector
    language sql stable parallel safe as $$
      select setweight(to_tsvector(config::regconfig, title),
          case when source_type = 'code_snapshot' then 'D' else 'A' end::"char")
        || setweight(to_tsvector(config::regconfig, heading), 'B')
        || setweight(to_tsvector(config::regconfig, content), 'C')
        || setweight(to_tsvector(config::regconfig, split_words(title || ' ' || heading || ' ' || content)), 'D')
    $$;

    create view embedding_sources as
      select 'goal'::text as source_type, g.id as source_id, g.user_id as owner_id, g.course_id, null::uuid as task_id,
        'user'::text as scope, g.title, split_part(lower(coalesce(c.language, 'en')), '-', 1) as language,
        lower(c.subject) as subject, text_config(c.language) as config
      from goals g left join courses c on c.id = g.course_id
      union all
      select 'task', t.id, t.user_id, g.course_id, t.id, 'user', t.title,
        split_part(lower(coalesce(c.language, 'en')), '-', 1), lower(c.subject), text_config(c.language)
      from tasks t join goals g on g.id = t.goal_id left join courses c on c.id = g.course_id
      union all
      select 'code_snapshot', s.id, s.user_id, g.course_id, s.task_id, 'user', coalesce(t.title, s.path, s.language),
        lower(s.language), lower(c.subject), text_config(c.language)
      from code_snapshots s left join tasks t on t.id = s.task_id left join goals g on g.id = t.goal_id
        left join courses c on c.id = g.course_id
      union all
      select 'document', d.id, d.owner_id, d.course_id, null,
        case when d.course_id is null then 'global' else 'course' end, d.title,
        split_part(lower(coalesce(c.language, 'en')), '-', 1), lower(c.subject), text_config(c.language)
      from documents d left join courses c on c.id = d.course_id;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop view embedding_sources;
    drop function chunk_tsv(text, text, text, text, text);
    drop function split_words(text);
    drop function text_config(text);
    drop table embedded_sources;
    drop index embeddings_task_id;
    drop index embeddings_content_hash;
    alter table embeddings
      drop constraint embeddings_source_chunk_key,
      add constraint embeddings_source_type_source_id_model_chunk_key unique (source_type, source_id, model, chunk),
      drop constraint embeddings_course_id_fkey,
      add constraint embeddings_course_id_fkey foreign key (course_id) references courses on delete cascade,
      drop column config,
      drop column subject,
      drop column task_id,
      drop column heading;
  `)
}
