import type { CodeSnapshotView } from '../../../lib/schemas/code-snapshot.ts'
import type { GoalView } from '../../../lib/schemas/goal.ts'
import type { TaskView } from '../../../lib/schemas/task.ts'
import type { Found } from '../hits.ts'

/** What is read of a record counts as fully to the point: nobody had to guess that it was meant. */
const score = 1
const maxCodeLines = 2_000

const facts = (lines: (string | false)[]) => lines.filter((line) => line !== false && line !== '').join('\n')

export const goalFound = (goal: GoalView): Found => ({
  sourceType: 'goal',
  sourceId: goal.id,
  title: goal.title,
  content: facts([
    goal.title,
    `Status: ${goal.status}, ${Math.round(goal.progress * 100)} % of its tasks completed.`,
    goal.dueAt !== null && `Due: ${goal.dueAt}`,
    goal.description ?? ''
  ]),
  score
})

export const taskFound = (task: TaskView): Found => ({
  sourceType: 'task',
  sourceId: task.id,
  title: task.title,
  content: facts([
    task.title,
    `Status: ${task.status}.`,
    task.dueAt !== null && `Due: ${task.dueAt}`,
    task.description ?? ''
  ]),
  score
})

/** Code with the number of each line before it, so that a review can name lines. */
export function snapshotFound({ id, language, path, note, source }: CodeSnapshotView): Found {
  const lines = source.split(/\r\n|\r|\n/)
  const shown = lines.slice(0, maxCodeLines).map((line, at) => `${at + 1}| ${line}`)
  const tag = /^[\w+#.-]+$/.test(language) ? language : ''
  return {
    sourceType: 'code_snapshot',
    sourceId: id,
    title: path ?? `${language} code`,
    content: facts([
      note ?? '',
      `\`\`\`${tag}\n${shown.join('\n')}\n\`\`\``,
      lines.length > maxCodeLines && `(${lines.length - maxCodeLines} more lines)`
    ]),
    score
  }
}
