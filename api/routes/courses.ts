import type { Records } from '../../lib/records/records.ts'
import { courseCreateSchema, coursePatchSchema, courseQuerySchema, courseSchema } from '../../lib/schemas/course.ts'
import { courseDocumentCreateSchema, courseDocumentQuerySchema, documentSchema } from '../../lib/schemas/document.ts'
import { idParamsSchema, pageOf } from '../../lib/schemas/page.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { created, createdResponse, recordEndpoints } from '../record-endpoints.ts'
import { documentBodyBytes } from './documents.ts'

type Needs = { records: Pick<Records, 'run' | 'courses' | 'documents'> }

/** Courses, and the documents of each. */
export function courseEndpoints({ records: { run, courses, documents } }: Needs): Endpoint[] {
  return [
    ...recordEndpoints({
      path: '/courses',
      tag: 'Courses',
      one: 'a course',
      schemas: { create: courseCreateSchema, patch: coursePatchSchema, query: courseQuerySchema, view: courseSchema },
      service: { ...courses, create: (actor, input) => run((trx) => courses.create(trx, actor, input)) }
    }),
    endpoint({
      method: 'get',
      path: '/courses/:id/documents',
      summary: 'List the documents of a course, newest first',
      tag: 'Documents',
      access: 'user',
      params: idParamsSchema,
      query: courseDocumentQuerySchema,
      responses: { 200: { description: 'A page', schema: pageOf(documentSchema) } },
      async handler({ actor, params, query }) {
        const { id: courseId } = await courses.find(actor, params.id)
        return { status: 200, body: await documents.list(actor, { ...query, courseId }) }
      }
    }),
    endpoint({
      method: 'post',
      path: '/courses/:id/documents',
      summary: 'Add a document to a course',
      tag: 'Documents',
      access: 'user',
      params: idParamsSchema,
      body: courseDocumentCreateSchema,
      bodyLimitBytes: documentBodyBytes,
      responses: createdResponse('As it was created', documentSchema),
      async handler({ actor, params, body }) {
        const { id: courseId } = await courses.find(actor, params.id)
        const document = await run((trx) => documents.create(trx, actor, { ...body, courseId }))
        return created(document, `/documents/${document.id}`)
      }
    })
  ]
}
