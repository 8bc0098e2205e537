import { createHash } from 'node:crypto'
import type { Knex } from 'knex'
import type { ChangeableType, ChatChange } from '../schemas/chat.ts'
import type { GoalView } from '../schemas/goal.ts'
import type { TaskView } from '../schemas/task.ts'
import type { JobChange, JobChangeStore } from '../store/jobs/changes.ts'

type View = GoalView | TaskView
type Changed = { type: ChangeableType; before: View | undefined; after: View }

/** What a record consists of besides what follows from it: two of the same are the same record, whatever happened between. */
const ownFields = {
  goal: ['title', 'description', 'courseId', 'status', 'dueAt'],
  task: ['goalId', 'title', 'description', 'status', 'position', 'dueAt', 'completedAt']
} as const

/** What the fields of one job's changes may be as JSON, in bytes; the first that are beyond cannot be taken back. */
const maxKeptBytes = 1024 * 1024

export type JobChanges = ReturnType<typeof createJobChanges>

/** Hash of what a record is, by which a later change shows. */
export function hashOf(type: ChangeableType, view: View): Buffer {
  const fields = ownFields[type].map((field) => view[field as keyof View])
  return createHash('sha256').update(JSON.stringify(fields)).digest()
}

/** Remembers what a job does to records. */
export function createJobChanges({ store }: { store: JobChangeStore }) {
  return {
    begin() {
      const records = new Map<string, Changed>()

      const note = (type: ChangeableType, before: View | undefined, after: View) => {
        const known = records.get(after.id)
        records.set(after.id, { type, before: known ? known.before : before, after })
      }

      return {
        created: (type: ChangeableType, views: View[]) => views.forEach((view) => note(type, undefined, view)),
        changed: (type: ChangeableType, { before, after }: { before: View; after: View }) => note(type, before, after),

        /** Writes it beside the job. @returns the changes as the job's result tells them */
        async keep(trx: Knex.Transaction, jobId: string): Promise<ChatChange[]> {
          const changed = [...records.values()].filter(
            ({ type, before, after }) => !before || Object.keys(differing(type, before, after)).length > 0
          )
          let keptBytes = 0
          const rows = changed.map(({ type, before, after }): JobChange => {
            const fields = before ? differing(type, before, after) : null
            keptBytes += fields === null ? 0 : Buffer.byteLength(JSON.stringify(fields))
            return {
              type,
              id: after.id,
              created: before === undefined,
              before: keptBytes > maxKeptBytes ? null : fields,
              afterHash: hashOf(type, after)
            }
          })
          await store.insert(trx, jobId, rows)
          return changed.map(({ type, before, after }) => ({
            type,
            id: after.id,
            title: after.title,
            action: actionOf(before, after)
          }))
        }
      }
    }
  }
}

/** Fields of a record that are no longer what they were, as they were. */
const differing = (type: ChangeableType, before: View, after: View): Record<string, unknown> =>
  Object.fromEntries(
    ownFields[type].flatMap((field) => {
      const was = before[field as keyof View]
      return was === after[field as keyof View] ? [] : [[field, was]]
    })
  )

function actionOf(before: View | undefined, after: View): ChatChange['action'] {
  if (!before) return 'created'
  return after.status === 'completed' && before.status !== 'completed' ? 'completed' : 'updated'
}
