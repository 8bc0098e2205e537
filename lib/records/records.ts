import type { Knex } from 'knex'
import type { Actor } from '../access/actor.ts'
import type { EventLog } from '../events/log.ts'
import { createClientIdStore } from '../store/records/client-ids.ts'
import { createCodeSnapshotStore } from '../store/records/code-snapshots.ts'
import { createCourseStore } from '../store/records/courses.ts'
import { createDocumentStore } from '../store/records/documents.ts'
import { createEnrollmentStore } from '../store/records/enrollments.ts'
import type { EventStore } from '../store/events/events.ts'
import { createGoalStore } from '../store/records/goals.ts'
import { createJobChangeStore } from '../store/jobs/changes.ts'
import { createOwnTitles } from '../store/records/own-titles.ts'
import { createTaskStore } from '../store/records/tasks.ts'
import type { Transaction } from '../store/transaction.ts'
import { createAccess } from './access.ts'
import { createBulk } from './bulk.ts'
import { createCodeSnapshots } from './code-snapshots.ts'
import { createCourses } from './courses.ts'
import { createDocuments } from './documents.ts'
import { createEnrollments } from './enrollments.ts'
import { createEvents } from './events.ts'
import { createGoals } from './goals.ts'
import { createJobChanges } from './job-changes.ts'
import { createNaming } from './naming.ts'
import { createUndoChanges } from './undo-changes.ts'
import { createTasks } from './tasks.ts'
import { createRecordWriter, type TextNews } from './record-writer.ts'

export type Records = ReturnType<typeof createRecords>

/**
 * The services of all records, built over one database.
 * `create(trx, …)`, `updateIn(trx, …)` and `removeIn(trx, …)` write in the caller's transaction (opened by
 * `transaction.transact`), `update` and `remove` in one of their own.
 * @param texts is told which texts changed, so that their embeddings follow
 * @param ownsJob whether a job can be seen by the actor, for the sockets' channels
 */
export function createRecords({
  knex,
  transaction,
  events,
  eventStore,
  texts,
  ownsJob
}: {
  knex: Knex
  transaction: Transaction
  events: EventLog
  eventStore: EventStore
  texts: TextNews
  ownsJob: (actor: Actor, jobId: string) => Promise<boolean>
}) {
  const stores = {
    courses: createCourseStore({ knex }),
    goals: createGoalStore({ knex }),
    tasks: createTaskStore({ knex }),
    codeSnapshots: createCodeSnapshotStore({ knex }),
    documents: createDocumentStore({ knex })
  }
  const writing = createRecordWriter({ transaction, events, texts })
  const courses = createCourses({ ...stores, writing })
  const goals = createGoals({ ...stores, writing })
  const tasks = createTasks({ ...stores, writing })
  const codeSnapshots = createCodeSnapshots({ ...stores, writing })
  const documents = createDocuments({ ...stores, writing })
  const clientIds = createClientIdStore()
  return {
    run: <T>(work: (trx: Knex.Transaction) => Promise<T>): Promise<T> => writing.run(work),
    courses,
    goals,
    tasks,
    codeSnapshots,
    documents,
    enrollments: createEnrollments({
      enrollments: createEnrollmentStore({ knex }),
      courses,
      courseStore: stores.courses,
      writing
    }),
    events: createEvents({ events, store: eventStore }),
    access: createAccess({ ...stores, ownsJob }),
    jobChanges: createJobChanges({ store: createJobChangeStore() }),
    takingBack: createUndoChanges({ stores, goals, tasks }),
    naming: createNaming({ titles: createOwnTitles({ knex }) }),
    bulk: createBulk({ clientIds, courses, goals, tasks, codeSnapshots, documents })
  }
}
