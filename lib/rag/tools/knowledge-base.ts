import type { SearchHit } from '../../store/search/embedding-search.ts'
import { toRagResult } from '../retriever.ts'
import { byText, type RagTool, type ToolNeeds } from './tool.ts'

/** Everything in the scope, of some or all types. */
export function knowledgeBase(needs: ToolNeeds): RagTool<'search_knowledge_base'> {
  return async (scope, { query, types, courseId, taskId, language, limit }, call) => {
    const like = await byText(needs.models, query, call)
    const filters = { types, courseId, taskIds: taskId ? [taskId] : undefined, language }
    const { strategy, hits } = await needs.retriever.find(scope, { ...like, ...filters, limit })
    const { least } = call
    const isRelevant = ({ nearness, coverage }: SearchHit) =>
      !least || (nearness ?? 0) >= least.nearness || (coverage ?? 0) >= least.coverage
    return toRagResult({ strategy, hits: hits.filter(isRelevant) })
  }
}
