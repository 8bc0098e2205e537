import { keyOf, type SearchHit } from '../../store/embedding-search.ts'
import type { Source } from '../../store/sources.ts'
import { type Retrieval, toRagResult } from '../retriever.ts'
import type { Scope } from '../scope.ts'
import { byRecord, byText, type RagTool, referred, type ToolCall, type ToolNeeds } from './tool.ts'

/** Tasks whose solutions are looked at. */
const taskCount = 10
/** Rank that halves what the first place counts, as in the search itself. */
const k = 10

/**
 * Code like a snapshot, or like what is asked for, never the snapshot itself. Programs in two languages share few
 * words, but the tasks they solve share most of theirs: solutions of the same and of the most similar tasks are ranked
 * as well, and the two ranks are joined.
 */
export function similarCode(needs: ToolNeeds): RagTool<'get_similar_code'> {
  const { retriever, sources } = needs

  async function similarTasks(scope: Scope, snapshot: Source | undefined, like: Partial<Retrieval>, call: ToolCall) {
    if (!snapshot) return await ranked(scope, like)
    const task = snapshot.taskId ? await sources.find({ type: 'task', id: snapshot.taskId }) : undefined
    if (!task) return []
    const others = await ranked(scope, { ...(await byRecord(needs, task, call)), notSourceId: task.id })
    return [task.id, ...others]
  }

  async function ranked(scope: Scope, like: Partial<Retrieval>): Promise<string[]> {
    const { hits } = await retriever.find(scope, { ...like, types: ['task'], limit: taskCount })
    return hits.map(({ sourceId }) => sourceId)
  }

  return async (scope, { query, codeSnapshotId, language, courseId, limit }, call) => {
    const snapshot = codeSnapshotId
      ? await referred(needs, scope, { type: 'code_snapshot', id: codeSnapshotId })
      : undefined
    const like = snapshot ? await byRecord(needs, snapshot, call) : await byText(needs.models, query as string, call)
    const wanted = { types: ['code_snapshot'] as const, language, courseId, notSourceId: codeSnapshotId, limit: 50 }
    const near = await retriever.find(scope, { ...like, ...wanted })
    const taskIds = await similarTasks(scope, snapshot, like, call)
    const solved = taskIds.length > 0 ? (await retriever.find(scope, { ...like, ...wanted, taskIds })).hits : []
    const byTask = await inOrderOf(taskIds, solved)
    return toRagResult({ strategy: near.strategy, hits: join(near.hits, byTask).slice(0, limit) })
  }

  /** Solutions in the order of the tasks they solve, the most similar first within each. */
  async function inOrderOf(taskIds: string[], hits: SearchHit[]): Promise<SearchHit[]> {
    const tasks = await sources.tasksOf(hits.map(({ sourceId }) => sourceId))
    const place = (hit: SearchHit) => taskIds.indexOf(tasks.get(hit.sourceId) ?? '')
    return hits.toSorted((a, b) => place(a) - place(b))
  }
}

/** Reciprocal ranks in both lists, 1 for the first of both. */
function join(near: SearchHit[], byTask: SearchHit[]): SearchHit[] {
  const scores = new Map<string, { hit: SearchHit; score: number }>()
  for (const list of [byTask, near]) {
    list.forEach((hit, index) => {
      const part = (k + 1) / (k + 1 + index) / 2
      const known = scores.get(keyOf(hit))
      if (known) known.score += part
      else scores.set(keyOf(hit), { hit, score: part })
    })
  }
  return [...scores.values()].sort((a, b) => b.score - a.score).map(({ hit, score }) => ({ ...hit, score }))
}
