import type { Actor } from '../access/actor.ts'
import type { CodeSnapshotView } from '../schemas/code-snapshot.ts'
import type { CourseView } from '../schemas/course.ts'
import type { DocumentView } from '../schemas/document.ts'
import type { GoalView } from '../schemas/goal.ts'
import { isUuid } from '../schemas/page.ts'
import type { TaskView } from '../schemas/task.ts'
import type { RecordType } from '../store/records/client-ids.ts'
import type { RecordStore } from '../store/records/record-store.ts'
import { type Person, viewerOf } from './viewer.ts'

export type Access = ReturnType<typeof createAccess>

type Finds<View extends { id: string }> = Pick<RecordStore<View>, 'find'>

/**
 * Who sees what.
 *
 * - Goals, tasks, code snapshots: their user.
 * - A course: its owner, everybody enrolled, and everybody at all when it is public. `private` and `enrolled` have the
 *   same readers, because being enrolled is a right; `enrolled` says that people are meant to be.
 * - A document: whoever sees its course; everybody when it is global.
 * - Administrators: everything.
 *
 * @param ownsJob whether a job can be seen by the actor
 */
export function createAccess({
  courses,
  goals,
  tasks,
  codeSnapshots,
  documents,
  ownsJob
}: {
  courses: Finds<CourseView>
  goals: Finds<GoalView>
  tasks: Finds<TaskView>
  codeSnapshots: Finds<CodeSnapshotView>
  documents: Finds<DocumentView>
  ownsJob: (actor: Actor, jobId: string) => Promise<boolean>
}) {
  const visible =
    <View extends { id: string }>(store: Finds<View>) =>
    async (actor: Person, id: string): Promise<View | undefined> =>
      isUuid(id) ? await store.find(id, viewerOf(actor)) : undefined

  const access = {
    /** Each returns the record, or `undefined` when it is unknown or foreign. */
    visibleCourse: visible(courses),
    visibleGoal: visible(goals),
    visibleTask: visible(tasks),
    visibleCodeSnapshot: visible(codeSnapshots),
    visibleDocument: visible(documents),

    async canSee(actor: Person, { type, id }: { type: RecordType; id: string }): Promise<boolean> {
      const find = {
        course: access.visibleCourse,
        goal: access.visibleGoal,
        task: access.visibleTask,
        code_snapshot: access.visibleCodeSnapshot,
        document: access.visibleDocument
      }[type]
      return (await find(actor, id)) !== undefined
    },

    /** Whether a socket of the actor may listen to a channel: `user:me`, `job:`, `goal:`, `task:` or `course:` with an id. */
    async canSubscribe(actor: Actor, channel: string): Promise<boolean> {
      if (channel === 'user:me') return true
      const [kind, id = '', ...rest] = channel.split(':')
      if (rest.length > 0 || !isUuid(id)) return false
      if (kind === 'job') return await ownsJob(actor, id)
      if (kind === 'goal' || kind === 'task' || kind === 'course') return await access.canSee(actor, { type: kind, id })
      return false
    }
  }
  return access
}
