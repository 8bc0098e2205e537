import type { Knex } from 'knex'
import { isAdmin } from '../access/actor.ts'
import { AppError, notFound } from '../errors/app-error.ts'
import { requireMatch } from '../etag.ts'
import { newId } from '../ids.ts'
import type { CourseCreate, CoursePatch, CourseQuery, CourseView } from '../schemas/course.ts'
import type { Page } from '../schemas/page.ts'
import type { CourseStore } from '../store/records/courses.ts'
import type { DocumentStore } from '../store/records/documents.ts'
import type { GoalStore } from '../store/records/goals.ts'
import { documentEvent, goalEvent, courseEvent as news } from './record-events.ts'
import { createRecordReader } from './record-reader.ts'
import { type Person, viewerOf } from './viewer.ts'
import { differences, type Outcome, single, type Writing } from './record-writer.ts'

export type Courses = ReturnType<typeof createCourses>

/** Whether the actor writes a course, its documents and its enrolments. */
export const writesCourse = (actor: Person, course: CourseView): boolean =>
  isAdmin(actor) || course.ownerId === actor.id

/** For what can be seen but not written: a 404 would deny what a GET shows. */
export const onlyItsOwner = (): AppError =>
  new AppError('forbidden', 'only the owner of the course and administrators may do this')

export function createCourses({
  courses,
  documents,
  goals,
  writing
}: {
  courses: CourseStore
  documents: DocumentStore
  goals: GoalStore
  writing: Writing
}) {
  const reading = createRecordReader(courses, 'the course')

  async function lockOwn(trx: Knex.Transaction, actor: Person, id: string): Promise<CourseView> {
    const seen = await reading.find(actor, id, trx)
    if (!writesCourse(actor, seen)) throw onlyItsOwner()
    const course = (await courses.lock(trx, [seen.id], viewerOf(actor))).get(seen.id)
    if (!course) throw notFound('the course')
    return course
  }

  const service = {
    find: (actor: Person, id: string): Promise<CourseView> => reading.find(actor, id),

    /** All courses the actor sees: their own, those they are enrolled in, public ones. */
    async list(actor: Person, { limit, cursor, ...filters }: CourseQuery): Promise<Page<CourseView>> {
      return await reading.page(actor, { limit, cursor, filters })
    },

    async createMany(trx: Knex.Transaction, actor: Person, inputs: CourseCreate[]): Promise<Outcome<CourseView>[]> {
      const created = await courses.insert(
        trx,
        inputs.map((input) => ({ ...input, id: newId(), ownerId: actor.id }))
      )
      await writing.tell(trx, ...created.map((course) => news('created', course)))
      return created
    },

    async create(trx: Knex.Transaction, actor: Person, input: CourseCreate): Promise<CourseView> {
      return single(await service.createMany(trx, actor, [input]))
    },

    /** @throws AppError 404; 403 for one that can be seen but is another's; 412 */
    async updateIn(
      trx: Knex.Transaction,
      actor: Person,
      id: string,
      patch: CoursePatch,
      ifMatch?: string
    ): Promise<CourseView> {
      const course = await lockOwn(trx, actor, id)
      requireMatch(ifMatch, course)
      const changes = differences(course, patch)
      if (Object.keys(changes).length === 0) return course
      const updated = (await courses.update(trx, course.id, changes)) as CourseView
      await writing.tell(trx, news('updated', updated))
      return updated
    },

    async update(actor: Person, id: string, patch: CoursePatch, ifMatch?: string): Promise<CourseView> {
      return await writing.run((trx) => service.updateIn(trx, actor, id, patch, ifMatch))
    },

    /** Deletes a course with its documents and enrolments; goals that named it stay. @throws AppError 404, 403, 412 */
    async removeIn(trx: Knex.Transaction, actor: Person, id: string, ifMatch?: string): Promise<void> {
      const course = await lockOwn(trx, actor, id)
      requireMatch(ifMatch, course)
      const left = await goals.leaveCourse(trx, course.id)
      const documentIds = await documents.lockIdsOfCourse(trx, course.id)
      await writing.tell(
        trx,
        ...left.map((goal) => goalEvent('updated', goal)),
        ...documentIds.map((id) => documentEvent('deleted', { id, ownerId: course.ownerId, courseId: course.id })),
        news('deleted', course)
      )
      await writing.texts.removed(trx, 'document', documentIds)
      await documents.remove(trx, documentIds)
      await courses.remove(trx, [course.id])
    },

    /** Deletes all courses of a person who is about to be deleted, so that others hear of what becomes of theirs. */
    async removeAllOf(trx: Knex.Transaction, ownerId: string): Promise<void> {
      for (const id of await courses.idsOf(trx, ownerId)) {
        await service.removeIn(trx, { id: ownerId, role: 'user' }, id)
      }
    },

    async remove(actor: Person, id: string, ifMatch?: string): Promise<void> {
      await writing.run((trx) => service.removeIn(trx, actor, id, ifMatch))
    }
  }
  return service
}
