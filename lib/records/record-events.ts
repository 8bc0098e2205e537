import type { CodeSnapshotView } from '../schemas/code-snapshot.ts'
import type { CourseView } from '../schemas/course.ts'
import type { DocumentView } from '../schemas/document.ts'
import type { GoalView } from '../schemas/goal.ts'
import type { TaskView } from '../schemas/task.ts'

type Verb = 'created' | 'updated' | 'deleted'

/**
 * Whose an event about a record is, and which channels it is in. `user:<id>` is added by the log. Nothing of a learner
 * is ever in a `course:` channel, which others may listen to.
 */
export type News = { type: string; userId: string; subject: string; data: object; channels: string[] }

export const courseEvent = (verb: Verb, course: CourseView): News => ({
  type: `course.${verb}`,
  userId: course.ownerId,
  subject: course.id,
  data: verb === 'deleted' ? { id: course.id } : course,
  channels: [`course:${course.id}`]
})

export const goalEvent = (verb: Verb, goal: GoalView): News => ({
  type: `goal.${verb}`,
  userId: goal.userId,
  subject: goal.id,
  data: verb === 'deleted' ? { id: goal.id } : goal,
  channels: [`goal:${goal.id}`]
})

export const taskEvent = (verb: Verb | 'completed', task: TaskView): News => ({
  type: `task.${verb}`,
  userId: task.userId,
  subject: task.id,
  data: verb === 'deleted' ? { id: task.id } : task,
  channels: [`task:${task.id}`, `goal:${task.goalId}`]
})

export const snapshotEvent = (verb: Verb, snapshot: CodeSnapshotView): News => ({
  type: `code_snapshot.${verb}`,
  userId: snapshot.userId,
  subject: snapshot.id,
  data: verb === 'deleted' ? { id: snapshot.id } : snapshot,
  channels: snapshot.taskId ? [`task:${snapshot.taskId}`] : []
})

export const documentEvent = (verb: Verb, document: Pick<DocumentView, 'id' | 'ownerId' | 'courseId'>): News => ({
  type: `document.${verb}`,
  userId: document.ownerId,
  subject: document.id,
  data: verb === 'deleted' ? { id: document.id } : document,
  channels: document.courseId ? [`course:${document.courseId}`] : []
})
