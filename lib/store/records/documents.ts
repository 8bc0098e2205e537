import type { Knex } from 'knex'
import { type DocumentView, documentSchema } from '../../schemas/document.ts'
import { whereCourseIsVisible } from './courses.ts'
import { createRecordStore } from './record-store.ts'

export type DocumentStore = ReturnType<typeof createDocumentStore>

export function createDocumentStore({ knex }: { knex: Knex }) {
  const records = createRecordStore<DocumentView>({
    knex,
    table: 'documents',
    schema: documentSchema,
    visible: (query, viewer) =>
      void query
        .whereNull('documents.course_id')
        .orWhere('documents.owner_id', viewer.userId)
        .orWhereExists((course) =>
          course
            .from('courses')
            .whereRaw('courses.id = documents.course_id')
            .where((where) => whereCourseIsVisible(where, viewer))
        ),
    bulky: ['markdown']
  })
  return {
    ...records,

    /** Ids of a course's documents, locked in their order. */
    async lockIdsOfCourse(trx: Knex.Transaction, courseId: string): Promise<string[]> {
      return (await trx('documents').where({ course_id: courseId }).orderBy('id').forUpdate().pluck('id')) as string[]
    }
  }
}
