import type { Knex } from 'knex'

const tables = { goal: 'goals', task: 'tasks', code_snapshot: 'code_snapshots', document: 'documents' }

/** Columns whose change moves or renames what is embedded, without a vector being made anew. */
const followed: Record<string, string[]> = {
  courses: ['language', 'subject'],
  goals: ['user_id', 'course_id', 'title'],
  tasks: ['user_id', 'goal_id', 'title'],
  code_snapshots: ['user_id', 'task_id', 'path', 'language'],
  documents: ['owner_id', 'course_id', 'title']
}

/**
 * Vectors go with their record and say what it says: by trigger, so that it holds for every statement, cascades
 * included. Only the text of a record is beyond this: its new vectors come from a job.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create function refresh_embeddings() returns trigger language plpgsql
    set search_path from current set plan_cache_mode = force_custom_plan as $$
    begin
      with moved_goals as (
        select id from goals where tg_table_name = 'courses' and course_id = new.id
        union all select new.id where tg_table_name = 'goals'
      ), moved_tasks as (
        select t.id from tasks t join moved_goals g on g.id = t.goal_id
        union all select new.id where tg_table_name = 'tasks'
      ), moved as (
        select 'goal' as type, id from moved_goals
        union all select 'task', id from moved_tasks
        union all select 'code_snapshot', s.id from code_snapshots s join moved_tasks t on t.id = s.task_id
        union all select 'code_snapshot', new.id where tg_table_name = 'code_snapshots'
        union all select 'document', id from documents where tg_table_name = 'courses' and course_id = new.id
        union all select 'document', new.id where tg_table_name = 'documents'
      )
      update embeddings e set owner_id = s.owner_id, course_id = s.course_id, task_id = s.task_id, scope = s.scope,
        title = s.title, language = s.language, subject = s.subject, config = s.config,
        tsv = case when (e.title, e.config) = (s.title, s.config) then e.tsv
          else chunk_tsv(e.source_type, s.config, s.title, e.heading, e.content) end
      from moved m join embedding_sources s on s.source_type = m.type and s.source_id = m.id
      where e.source_type = m.type and e.source_id = m.id
        and (e.owner_id, e.course_id, e.task_id, e.scope, e.title, e.language, e.subject, e.config) is distinct from
          (s.owner_id, s.course_id, s.task_id, s.scope, s.title, s.language, s.subject, s.config);
      return null;
    end
    $$;

    create function remove_embeddings() returns trigger language plpgsql set search_path from current as $$
    begin
      delete from embeddings e using old_rows o where e.source_type = tg_argv[0] and e.source_id = o.id;
      delete from embedded_sources e using old_rows o where e.source_type = tg_argv[0] and e.source_id = o.id;
      return null;
    end
    $$;
  `)
  for (const [table, columns] of Object.entries(followed)) {
    await knex.raw(`
      create trigger ${table}_embeddings_refresh after update of ${columns.join(', ')} on ${table} for each row
        when (${columns.map((name) => `old.${name} is distinct from new.${name}`).join(' or ')})
        execute function refresh_embeddings();
    `)
  }
  for (const [type, table] of Object.entries(tables)) {
    await knex.raw(`
      create trigger ${table}_embeddings_remove after delete on ${table}
        referencing old table as old_rows for each statement execute function remove_embeddings('${type}');
    `)
  }
}

export async function down(knex: Knex): Promise<void> {
  for (const table of Object.values(tables)) await knex.raw(`drop trigger ${table}_embeddings_remove on ${table}`)
  for (const table of Object.keys(followed)) await knex.raw(`drop trigger ${table}_embeddings_refresh on ${table}`)
  await knex.raw('drop function remove_embeddings(); drop function refresh_embeddings();')
}
