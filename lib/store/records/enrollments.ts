import type { Knex } from 'knex'
import type { EnrollmentView } from '../../schemas/enrollment.ts'

type EnrollmentRow = { id: string; course_id: string; user_id: string; created_at: Date }

const toView = (row: EnrollmentRow): EnrollmentView => ({
  courseId: row.course_id,
  userId: row.user_id,
  createdAt: row.created_at.toISOString()
})

export type EnrollmentStore = ReturnType<typeof createEnrollmentStore>

/** Who takes part in which course. */
export function createEnrollmentStore({ knex }: { knex: Knex }) {
  return {
    /** @returns `undefined` when the person is enrolled already, `'unknown'` when there is no such person */
    async insert(
      trx: Knex.Transaction,
      row: { id: string; courseId: string; userId: string }
    ): Promise<EnrollmentView | 'unknown' | undefined> {
      const person = await trx('users').where({ id: row.userId }).forKeyShare().first('id')
      if (!person) return 'unknown'
      const [inserted] = (await trx('enrollments')
        .insert({ id: row.id, course_id: row.courseId, user_id: row.userId })
        .onConflict(['course_id', 'user_id'])
        .ignore()
        .returning('*')) as EnrollmentRow[]
      return inserted && toView(inserted)
    },

    async find(courseId: string, userId: string): Promise<EnrollmentView | undefined> {
      const row = (await knex('enrollments').where({ course_id: courseId, user_id: userId }).first()) as
        | EnrollmentRow
        | undefined
      return row && toView(row)
    },

    /**
     * The newest first.
     * @param only the one person whose enrolment may be seen; everybody's when absent
     */
    async list(
      courseId: string,
      { limit, cursor, only }: { limit: number; cursor?: string | undefined; only?: string | undefined }
    ): Promise<{ rows: EnrollmentView[]; next: string | undefined }> {
      const query = knex('enrollments')
        .where({ course_id: courseId })
        .orderBy('id', 'desc')
        .limit(limit + 1)
      if (cursor !== undefined) void query.where('id', '<', cursor)
      if (only !== undefined) void query.where('user_id', only)
      const rows = (await query) as EnrollmentRow[]
      return { rows: rows.slice(0, limit).map(toView), next: rows.length > limit ? rows[limit - 1]?.id : undefined }
    },

    /** @returns whether there was one */
    async remove(trx: Knex.Transaction, courseId: string, userId: string): Promise<boolean> {
      return (await trx('enrollments').where({ course_id: courseId, user_id: userId }).delete()) > 0
    }
  }
}
