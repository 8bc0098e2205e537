import { keyOf, type SearchHit } from '../../store/search/embedding-search.ts'
import type { Source } from '../../store/search/sources.ts'
import { type Retrieval, toRagResult } from '../retriever.ts'
import type { Scope } from '../../access/scope.ts'
import { byRecord, byText, type RagTool, referred, type ToolCall, type ToolNeeds } from './tool.ts'

/** Tasks whose solutions are looked at. */
const taskCount = 10
/** Rank that halves what the first place counts, as in the search itself. */
const k = 10
/** What the two ranks count for: what a program is for says more than how it is written. */
const shares = { code: 0.4, task: 0.6 }

/** A task, and how near it is to the one that the code solves or the query asks for, 0 to 1. */
type NearTask = { id: string; nearness: number }

/**
 * Code like a snapshot, or like what is asked for, never the snapshot itself. Programs in two languages share few
 * words, but the tasks they solve share most of theirs: solutions of the same and of the most similar tasks are ranked
 * as well, and the two ranks are joined, that by task as far as the tasks are alike.
 */
export function similarCode(needs: ToolNeeds): RagTool<'get_similar_code'> {
  const { retriever, sources } = needs

  async function tasksNear(scope: Scope, snapshot: Source | undefined, like: Partial<Retrieval>, call: ToolCall) {
    if (!snapshot) return await nearest(scope, like)
    const task = snapshot.taskId ? await sources.find({ type: 'task', id: snapshot.taskId }) : undefined
    if (!task) return []
    const others = await nearest(scope, { ...(await byRecord(needs, task, call)), notSourceId: task.id })
    return [{ id: task.id, nearness: 1 }, ...others]
  }

  async function nearest(scope: Scope, like: Partial<Retrieval>): Promise<NearTask[]> {
    const { hits } = await retriever.find(scope, { ...like, types: ['task'], limit: taskCount })
    return hits.map(({ sourceId, nearness }) => ({ id: sourceId, nearness: Math.max(0, nearness ?? 0) }))
  }

  /** Solutions in the order of the tasks they solve, the most similar first within each. */
  async function byTask(hits: SearchHit[], tasks: NearTask[]): Promise<{ hit: SearchHit; nearness: number }[]> {
    const solved = await sources.tasksOf(hits.map(({ sourceId }) => sourceId))
    const place = new Map(tasks.map(({ id }, index) => [id, index]))
    return hits
      .map((hit) => ({ hit, at: place.get(solved.get(hit.sourceId) ?? '') ?? tasks.length }))
      .sort((a, b) => a.at - b.at)
      .map(({ hit, at }) => ({ hit, nearness: tasks[at]?.nearness ?? 0 }))
  }

  return async (scope, { query, codeSnapshotId, language, courseId, limit }, call) => {
    const snapshot = codeSnapshotId
      ? await referred(needs, scope, { type: 'code_snapshot', id: codeSnapshotId })
      : undefined
    const like = snapshot ? await byRecord(needs, snapshot, call) : await byText(needs.models, query as string, call)
    const wanted = { types: ['code_snapshot'] as const, language, courseId, notSourceId: codeSnapshotId, limit: 50 }
    const alike = await retriever.find(scope, { ...like, ...wanted })
    const tasks = await tasksNear(scope, snapshot, like, call)
    const taskIds = tasks.map(({ id }) => id)
    const solutions = taskIds.length > 0 ? (await retriever.find(scope, { ...like, ...wanted, taskIds })).hits : []
    const hits = join(alike.hits, await byTask(solutions, tasks))
    return toRagResult({ strategy: alike.strategy, hits: hits.slice(0, limit) })
  }
}

/** Weighted reciprocal ranks: 1 for the first in both, of a task that is the same. */
function join(alike: SearchHit[], byTask: { hit: SearchHit; nearness: number }[]): SearchHit[] {
  const scores = new Map<string, { hit: SearchHit; score: number }>()
  const add = (hit: SearchHit, score: number) => {
    const known = scores.get(keyOf(hit))
    if (known) known.score += score
    else scores.set(keyOf(hit), { hit, score })
  }
  const byRank = (index: number) => (k + 1) / (k + 1 + index)
  alike.forEach((hit, index) => add(hit, shares.code * byRank(index)))
  byTask.forEach(({ hit, nearness }, index) => add(hit, shares.task * nearness * byRank(index)))
  return [...scores.values()].sort((a, b) => b.score - a.score).map(({ hit, score }) => ({ ...hit, score }))
}
