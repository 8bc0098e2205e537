import type { RagHit } from '../../schemas/rag.ts'
import type { Source } from '../../store/search/sources.ts'
import { toRagHit } from '../retriever.ts'
import { amongGlobal, inCourse } from '../../access/scope.ts'
import { cutAtTokens, estimateTokens } from '../../text/token-estimate.ts'
import { byRecord, type RagTool, referred, type ToolNeeds } from './tool.ts'

const snapshotCount = 3
/** What a part may take of the budget at most, so that a long task leaves room for what explains it. */
const shares = { task: 0.5, goal: 0.125, code_snapshot: 0.125, document: 0.25 }
/** A remainder of fewer tokens is no use to anyone. */
const leastTokens = 40

/**
 * What one needs to know to help with a task, the most necessary first and all of it within a budget of tokens: the
 * task, its goal, the latest code snapshots, and the documents of its course (else global ones) nearest to it.
 */
export function taskContext(needs: ToolNeeds): RagTool<'get_task_context'> {
  const { retriever, sources } = needs
  return async (scope, { taskId, limit, maxTokens }, call) => {
    const task = await referred(needs, scope, { type: 'task', id: taskId })
    const goal = task.goalId ? await sources.find({ type: 'goal', id: task.goalId }) : undefined
    const snapshots = await sources.latestSnapshots(task.id, snapshotCount)
    const documents = await retriever.find(
      scope.kind !== 'global' && task.courseId ? inCourse(scope, task.courseId) : amongGlobal(scope),
      { ...(await byRecord(needs, task, call)), types: ['document'], limit }
    )
    const records = [task, ...(goal ? [goal] : []), ...snapshots].map(whole)
    const hits = withinBudget([...records, ...documents.hits.map(toRagHit)], maxTokens)
    return { strategy: documents.strategy, hits: hits.slice(0, limit) }
  }
}

const whole = ({ type, id, title, text, note }: Source): RagHit => ({
  sourceType: type,
  sourceId: id,
  title,
  content: [note, text].filter(Boolean).join('\n\n') || title,
  score: 1,
  chunk: 0
})

/** Hits in their order, each cut to its share and the last ones to what is left. */
function withinBudget(hits: RagHit[], maxTokens: number): RagHit[] {
  const result: RagHit[] = []
  let left = maxTokens
  for (const hit of hits) {
    if (left < leastTokens) break
    const most = Math.floor(Math.min(left, maxTokens * shares[hit.sourceType]))
    const content = hit.content.slice(0, cutAtTokens(hit.content, 0, most)).trimEnd()
    left -= estimateTokens(content)
    result.push({ ...hit, content })
  }
  return result
}
