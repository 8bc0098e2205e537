import type { CodeSnapshotView } from '../schemas/code-snapshot.ts'
import type { CourseView } from '../schemas/course.ts'
import type { DocumentView } from '../schemas/document.ts'
import type { GoalView } from '../schemas/goal.ts'
import type { TaskView } from '../schemas/task.ts'

/**
 * Whose an event about a record is, and which channels it is in. `user:<id>` is added by the log. Nothing of a learner
 * is ever in a `course:` channel, which others may listen to.
 */
export type News = { userId: string; subject: string; data: object; channels: string[] }

export const courseNews = (course: CourseView, data: object = course): News => ({
  userId: course.ownerId,
  subject: course.id,
  data,
  channels: [`course:${course.id}`]
})

export const goalNews = (goal: GoalView, data: object = goal): News => ({
  userId: goal.userId,
  subject: goal.id,
  data,
  channels: [`goal:${goal.id}`]
})

export const taskNews = (task: TaskView, data: object = task): News => ({
  userId: task.userId,
  subject: task.id,
  data,
  channels: [`task:${task.id}`, `goal:${task.goalId}`]
})

export const snapshotNews = (snapshot: CodeSnapshotView, data: object = snapshot): News => ({
  userId: snapshot.userId,
  subject: snapshot.id,
  data,
  channels: snapshot.taskId ? [`task:${snapshot.taskId}`] : []
})

export const documentNews = (document: DocumentView, data: object = document): News => ({
  userId: document.ownerId,
  subject: document.id,
  data,
  channels: document.courseId ? [`course:${document.courseId}`] : []
})
