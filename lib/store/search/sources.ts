import type { Knex } from 'knex'
import type { SourceType } from '../../schemas/sources.ts'

/** What of a record is embedded, and what it belongs to. */
export type Source = {
  type: SourceType
  id: string
  ownerId: string
  courseId: string | null
  goalId: string | null
  taskId: string | null
  title: string
  kind: 'markdown' | 'code'
  /** programming language, of code */
  language: string | null
  text: string
  /** where code lies in its project, and what its author says of it */
  path: string | null
  note: string | null
}

export type SourceKey = { type: SourceType; id: string }

export type SourceStore = ReturnType<typeof createSourceStore>

type Row = Omit<Source, 'type' | 'kind'>

const queries: Record<SourceType, string> = {
  goal: `select g.id, g.user_id as "ownerId", g.course_id as "courseId", g.id as "goalId", null as "taskId", g.title,
      null as language, coalesce(g.description, '') as text, null as path, null as note
    from goals g where g.id = ?`,
  task: `select t.id, t.user_id as "ownerId", g.course_id as "courseId", t.goal_id as "goalId", t.id as "taskId", t.title,
      null as language, coalesce(t.description, '') as text, null as path, null as note
    from tasks t join goals g on g.id = t.goal_id where t.id = ?`,
  code_snapshot: `select s.id, s.user_id as "ownerId", g.course_id as "courseId", t.goal_id as "goalId",
      s.task_id as "taskId", coalesce(t.title, s.path, s.language) as title, s.language, s.source as text, s.path, s.note
    from code_snapshots s left join tasks t on t.id = s.task_id left join goals g on g.id = t.goal_id where s.id = ?`,
  document: `select d.id, d.owner_id as "ownerId", d.course_id as "courseId", null as "goalId", null as "taskId", d.title,
      null as language, d.markdown as text, null as path, null as note
    from documents d where d.id = ?`
}

const tables: Record<SourceType, string> = {
  goal: 'goals',
  task: 'tasks',
  code_snapshot: 'code_snapshots',
  document: 'documents'
}

const lacking = `not exists (select 1 from embedded_sources e
  where e.source_type = s.source_type and e.source_id = s.source_id and e.model = ?)`

/** Reads the records whose texts are embedded, whatever table they are in, regardless of who asks. */
export function createSourceStore({ knex }: { knex: Knex }) {
  async function find({ type, id }: SourceKey, db: Knex = knex): Promise<Source | undefined> {
    const { rows } = (await db.raw(queries[type], [id])) as { rows: Row[] }
    const row = rows[0]
    return row && { type, kind: type === 'code_snapshot' ? 'code' : 'markdown', ...row }
  }

  return {
    find,

    /** How many records have no vectors of a model. */
    async countWithout(model: string): Promise<number> {
      const { rows } = (await knex.raw(`select count(*)::int as n from embedding_sources s where ${lacking}`, [
        model
      ])) as {
        rows: { n: number }[]
      }
      return rows[0]?.n ?? 0
    },

    /** Records that have no vectors of a model, in the order of their ids. */
    async without(
      model: string,
      { after, limit }: { after?: string | undefined; limit: number }
    ): Promise<SourceKey[]> {
      const { rows } = (await knex.raw(
        `select s.source_type as type, s.source_id as id from embedding_sources s
        where ${lacking} and (?::uuid is null or s.source_id > ?::uuid) order by s.source_id limit ?`,
        [model, after ?? null, after ?? null, limit] as Knex.RawBinding[]
      )) as { rows: SourceKey[] }
      return rows
    },

    /** The newest code snapshots of a task. */
    async latestSnapshots(taskId: string, limit: number): Promise<Source[]> {
      const rows: { id: string }[] = await knex('code_snapshots')
        .select('id')
        .where({ task_id: taskId })
        .orderBy('id', 'desc')
        .limit(limit)
      const found = await Promise.all(rows.map(({ id }) => find({ type: 'code_snapshot', id })))
      return found.filter((source) => source !== undefined)
    },

    /** The tasks that code snapshots belong to, by the snapshot's id. */
    async tasksOf(snapshotIds: string[]): Promise<Map<string, string>> {
      const rows: { id: string; task_id: string }[] = await knex('code_snapshots')
        .select('id', 'task_id')
        .whereIn('id', snapshotIds)
        .whereNotNull('task_id')
      return new Map(rows.map(({ id, task_id }) => [id, task_id]))
    },

    /**
     * Reads a record and keeps it, and what its place depends on, as it is until the transaction ends. Parents are
     * locked before children, as everywhere. The record's own lock is the strong one: whoever writes its vectors
     * does so alone.
     */
    async lock(trx: Knex.Transaction, key: SourceKey): Promise<Source | undefined> {
      for (;;) {
        const seen = await find(key, trx)
        if (!seen) return undefined
        if (seen.courseId) await trx('courses').select('id').where({ id: seen.courseId }).forShare()
        if (seen.goalId && key.type !== 'goal') await trx('goals').select('id').where({ id: seen.goalId }).forShare()
        if (seen.taskId && key.type !== 'task') await trx('tasks').select('id').where({ id: seen.taskId }).forShare()
        await trx(tables[key.type]).select('id').where({ id: key.id }).forUpdate()
        const locked = await find(key, trx)
        if (!locked) return undefined
        const same = locked.courseId === seen.courseId && locked.goalId === seen.goalId && locked.taskId === seen.taskId
        if (same) return locked
      }
    }
  }
}
