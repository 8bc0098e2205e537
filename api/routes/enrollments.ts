import type { Records } from '../../lib/records/records.ts'
import { enrollmentCreateSchema, enrollmentParamsSchema, enrollmentSchema } from '../../lib/schemas/enrollment.ts'
import { idParamsSchema, pageOf, pageQuerySchema } from '../../lib/schemas/page.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { smallBodyBytes } from '../intake/limits.ts'
import { created, createdResponse, shown, shownResponse } from '../record-endpoints.ts'

type Needs = { records: Pick<Records, 'enrollments'> }

/** Who takes part in a course. */
export function enrollmentEndpoints({ records: { enrollments } }: Needs): Endpoint[] {
  const common = { tag: 'Courses', access: 'user' } as const
  const path = '/courses/:id/enrollments'
  return [
    endpoint({
      ...common,
      method: 'get',
      path,
      summary: 'List the enrolments of a course, newest first: all for its owner, else your own',
      params: idParamsSchema,
      query: pageQuerySchema,
      responses: { 200: { description: 'A page', schema: pageOf(enrollmentSchema) } },
      handler: async ({ actor, params, query }) => ({
        status: 200,
        body: await enrollments.list(actor, params.id, query)
      })
    }),
    endpoint({
      ...common,
      method: 'post',
      path,
      summary: 'Enrol a person in your course',
      params: idParamsSchema,
      body: enrollmentCreateSchema,
      bodyLimitBytes: smallBodyBytes,
      responses: createdResponse('The enrolment', enrollmentSchema),
      async handler({ actor, params, body }) {
        const enrollment = await enrollments.create(actor, params.id, body)
        return created(enrollment, `/courses/${enrollment.courseId}/enrollments/${enrollment.userId}`)
      }
    }),
    endpoint({
      ...common,
      method: 'get',
      path: `${path}/:userId`,
      summary: 'Read an enrolment',
      params: enrollmentParamsSchema,
      responses: shownResponse('The enrolment', enrollmentSchema),
      handler: async ({ actor, params }) => shown(await enrollments.find(actor, params.id, params.userId))
    }),
    endpoint({
      ...common,
      method: 'delete',
      path: `${path}/:userId`,
      summary: 'End an enrolment: in your course, or your own',
      params: enrollmentParamsSchema,
      responses: { 204: { description: 'Ended' } },
      async handler({ actor, params }) {
        await enrollments.remove(actor, params.id, params.userId)
        return { status: 204 }
      }
    })
  ]
}
