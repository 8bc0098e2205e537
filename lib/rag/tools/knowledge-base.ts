import { toRagResult } from '../retriever.ts'
import { byText, type RagTool, type ToolNeeds } from './tool.ts'

/** Everything in the scope, of some or all types. */
export function knowledgeBase(needs: ToolNeeds): RagTool<'search_knowledge_base'> {
  return async (scope, { query, types, courseId, taskId, language, limit }, call) => {
    const like = await byText(needs.models, query, call)
    const filters = { types, courseId, taskIds: taskId ? [taskId] : undefined, language }
    return toRagResult(await needs.retriever.find(scope, { ...like, ...filters, limit }))
  }
}
