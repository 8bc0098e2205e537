import type { Knex } from 'knex'
import { isAdmin } from '../access/actor.ts'
import { AppError, invalidField, notFound } from '../errors/app-error.ts'
import { requireMatch } from '../etag.ts'
import { newId } from '../ids.ts'
import type { CourseView } from '../schemas/course.ts'
import type { DocumentCreate, DocumentPatch, DocumentQuery, DocumentView } from '../schemas/document.ts'
import type { Page } from '../schemas/page.ts'
import type { CourseStore } from '../store/records/courses.ts'
import type { DocumentStore } from '../store/records/documents.ts'
import { onlyItsOwner, writesCourse } from './courses.ts'
import { documentEvent as news } from './record-events.ts'
import { createRecordReader } from './record-reader.ts'
import { type Person, viewerOf } from './viewer.ts'
import { differences, insertAllowed, MovedError, type Outcome, single, type Writing } from './record-writer.ts'

export type Documents = ReturnType<typeof createDocuments>

const onlyAdministrators = (): AppError =>
  new AppError('forbidden', 'only administrators write global documents', {
    errors: [{ path: 'courseId', message: 'is required unless an administrator writes' }]
  })

/** Documents. One of a course belongs to the course's owner, a global one to the administrator who wrote it. */
export function createDocuments({
  documents,
  courses,
  writing
}: {
  documents: DocumentStore
  courses: CourseStore
  writing: Writing
}) {
  const reading = createRecordReader(documents, 'the document')
  const unseenCourse = () => invalidField('courseId', 'is not a course that can be seen')

  /** Why the actor may not write documents there, or the owner of such documents. */
  function ownerOf(actor: Person, courseId: string | null | undefined, seen: Map<string, CourseView>) {
    if (!courseId) return isAdmin(actor) ? actor.id : onlyAdministrators()
    const course = seen.get(courseId)
    if (!course) return unseenCourse()
    return writesCourse(actor, course) ? course.ownerId : onlyItsOwner()
  }

  /** The document with the courses it belongs to and is to belong to, which are locked first. */
  async function lock(trx: Knex.Transaction, actor: Person, id: string, otherCourseId?: string | null) {
    const known = await reading.find(actor, id, trx)
    const courseIds = [known.courseId, otherCourseId].filter((courseId) => typeof courseId === 'string')
    const seen = await courses.lock(trx, courseIds, viewerOf(actor), 'key share')
    const document = (await documents.lock(trx, [known.id], viewerOf(actor))).get(known.id)
    if (!document) throw notFound('the document')
    if (document.courseId !== known.courseId) throw new MovedError('the document was moved to another course')
    const owner = ownerOf(actor, document.courseId, seen)
    if (owner instanceof AppError) throw owner
    return { document, courses: seen }
  }

  const service = {
    find: (actor: Person, id: string): Promise<DocumentView> => reading.find(actor, id),

    /** All documents the actor sees; a page ends early rather than carry more than about 8 MiB. */
    async list(actor: Person, { limit, cursor, ...filters }: DocumentQuery): Promise<Page<DocumentView>> {
      return await reading.page(actor, { limit, cursor, filters })
    },

    async createMany(trx: Knex.Transaction, actor: Person, inputs: DocumentCreate[]): Promise<Outcome<DocumentView>[]> {
      const wanted = inputs.flatMap(({ courseId }) => courseId ?? [])
      const seen = await courses.lock(trx, wanted, viewerOf(actor), 'key share')
      const rows = inputs.map((input) => {
        const ownerId = ownerOf(actor, input.courseId, seen)
        return ownerId instanceof AppError ? ownerId : { ...input, id: newId(), ownerId }
      })
      const { created, outcomes } = await insertAllowed(rows, (allowed) => documents.insert(trx, allowed))
      await writing.tell(trx, ...created.map((document) => news('created', document)))
      await writing.textsCreated(trx, 'document', created)
      return outcomes
    },

    /** @throws AppError 403 where only others write; 422 naming `courseId` */
    async create(trx: Knex.Transaction, actor: Person, input: DocumentCreate): Promise<DocumentView> {
      return single(await service.createMany(trx, actor, [input]))
    },

    /** @throws AppError 404; 403 for one that can be seen but not written; 412; 422 naming `courseId` */
    async updateIn(
      trx: Knex.Transaction,
      actor: Person,
      id: string,
      patch: DocumentPatch,
      ifMatch?: string
    ): Promise<DocumentView> {
      const { document, courses: seen } = await lock(trx, actor, id, patch.courseId)
      requireMatch(ifMatch, document)
      const changes = differences(document, patch)
      if (Object.keys(changes).length === 0) return document
      if ('courseId' in changes) {
        const ownerId = ownerOf(actor, changes.courseId, seen)
        if (ownerId instanceof AppError) throw ownerId
        changes.ownerId = ownerId
      }
      const updated = (await documents.update(trx, document.id, changes)) as DocumentView
      await writing.tell(trx, news('updated', updated))
      if ('title' in changes || 'markdown' in changes) {
        await writing.texts.changed(trx, { type: 'document', id: document.id, ownerId: updated.ownerId })
      }
      return updated
    },

    async update(actor: Person, id: string, patch: DocumentPatch, ifMatch?: string): Promise<DocumentView> {
      return await writing.run((trx) => service.updateIn(trx, actor, id, patch, ifMatch))
    },

    /** @throws AppError 404, 403, 412 */
    async removeIn(trx: Knex.Transaction, actor: Person, id: string, ifMatch?: string): Promise<void> {
      const { document } = await lock(trx, actor, id)
      requireMatch(ifMatch, document)
      await writing.tell(trx, news('deleted', document))
      await writing.texts.removed(trx, 'document', [document.id])
      await documents.remove(trx, [document.id])
    },

    async remove(actor: Person, id: string, ifMatch?: string): Promise<void> {
      await writing.run((trx) => service.removeIn(trx, actor, id, ifMatch))
    }
  }
  return service
}
