import { AppError, invalidField, notFound } from '../errors/app-error.ts'
import { newId } from '../ids.ts'
import type { EnrollmentCreate, EnrollmentView } from '../schemas/enrollment.ts'
import { encodeCursor, isUuid, type Page, type PageQuery } from '../schemas/page.ts'
import type { CourseStore } from '../store/records/courses.ts'
import type { EnrollmentStore } from '../store/records/enrollments.ts'
import { type Courses, onlyItsOwner, writesCourse } from './courses.ts'
import { type Person, everyone } from './viewer.ts'
import type { Writing } from './record-writer.ts'

/** Who takes part in a course. Its owner sees and enrols everybody; the enrolled see themselves and may leave. */
export function createEnrollments({
  enrollments,
  courses,
  courseStore,
  writing
}: {
  enrollments: EnrollmentStore
  courses: Courses
  courseStore: CourseStore
  writing: Writing
}) {
  return {
    /** @throws AppError 404 when the course, or the enrolment, cannot be seen */
    async find(actor: Person, courseId: string, userId: string): Promise<EnrollmentView> {
      const course = await courses.find(actor, courseId)
      const mayKnow = writesCourse(actor, course) || userId.toLowerCase() === actor.id
      const enrollment = mayKnow && isUuid(userId) ? await enrollments.find(course.id, userId) : undefined
      if (!enrollment) throw notFound('the enrolment')
      return enrollment
    },

    /** @throws AppError 404 when the course cannot be seen */
    async list(actor: Person, courseId: string, { limit, cursor }: PageQuery): Promise<Page<EnrollmentView>> {
      const course = await courses.find(actor, courseId)
      const only = writesCourse(actor, course) ? undefined : actor.id
      const { rows, next } = await enrollments.list(course.id, { limit, cursor, only })
      return { data: rows, nextCursor: next === undefined ? null : encodeCursor(next) }
    },

    /** @throws AppError 404; 403 for another's course; 409 when enrolled already; 422 for an unknown person */
    async create(actor: Person, courseId: string, { userId }: EnrollmentCreate): Promise<EnrollmentView> {
      const course = await courses.find(actor, courseId)
      if (!writesCourse(actor, course)) throw onlyItsOwner()
      return await writing.run(async (trx) => {
        // Kept from being deleted until this commits.
        const held = await courseStore.lock(trx, [course.id], everyone, 'key share')
        if (!held.has(course.id)) throw notFound('the course')
        const enrollment = await enrollments.insert(trx, { id: newId(), courseId: course.id, userId })
        if (enrollment === 'unknown') throw invalidField('userId', 'is not a known person')
        if (!enrollment) throw new AppError('conflict', 'this person is enrolled already')
        return enrollment
      })
    },

    /** By the course's owner, or by the enrolled person. @throws AppError 404; 403 for another's enrolment */
    async remove(actor: Person, courseId: string, userId: string): Promise<void> {
      const course = await courses.find(actor, courseId)
      if (!writesCourse(actor, course) && userId.toLowerCase() !== actor.id) throw onlyItsOwner()
      const removed = isUuid(userId) && (await writing.run((trx) => enrollments.remove(trx, course.id, userId)))
      if (!removed) throw notFound('the enrolment')
    }
  }
}
