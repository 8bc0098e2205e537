import { toRagResult } from '../retriever.ts'
import { byRecord, byText, type RagTool, referred, type ToolNeeds } from './tool.ts'

/** Goals like one of them, or like what is asked for. */
export function similarGoals(needs: ToolNeeds): RagTool<'get_similar_goals'> {
  return async (scope, { query, goalId, courseId, limit }, call) => {
    const like = goalId
      ? await byRecord(needs, await referred(needs, scope, { type: 'goal', id: goalId }), call)
      : await byText(needs.models, query as string, call)
    return toRagResult(
      await needs.retriever.find(scope, { ...like, types: ['goal'], courseId, notSourceId: goalId, limit })
    )
  }
}
