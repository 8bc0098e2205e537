import type { Knex } from 'knex'
import { type CourseView, courseSchema } from '../../schemas/course.ts'
import { createRecordStore, type Viewer } from './record-store.ts'

/** Courses that a viewer sees: their own, public ones, and those they are enrolled in. */
export function whereCourseIsVisible(query: Knex.QueryBuilder, { userId }: Viewer): void {
  void query
    .where('courses.owner_id', userId)
    .orWhere('courses.visibility', 'public')
    .orWhereExists((enrolled) =>
      enrolled.from('enrollments').whereRaw('enrollments.course_id = courses.id').where('enrollments.user_id', userId)
    )
}

export type CourseStore = ReturnType<typeof createCourseStore>

export function createCourseStore({ knex }: { knex: Knex }) {
  const records = createRecordStore<CourseView>({
    knex,
    table: 'courses',
    schema: courseSchema,
    visible: whereCourseIsVisible,
    bulky: ['description']
  })
  return {
    ...records,

    /** Ids of a person's courses, in their order. */
    async idsOf(trx: Knex.Transaction, ownerId: string): Promise<string[]> {
      return (await trx('courses').where({ owner_id: ownerId }).orderBy('id').pluck('id')) as string[]
    }
  }
}
