import { courseDocumentation } from './tools/course-documentation.ts'
import { knowledgeBase } from './tools/knowledge-base.ts'
import { similarCode } from './tools/similar-code.ts'
import { similarGoals } from './tools/similar-goals.ts'
import { taskContext } from './tools/task-context.ts'
import type { RagTool, ToolNeeds } from './tools/tool.ts'
import type { RagToolName } from '../schemas/rag.ts'

export type RagTools = { [N in RagToolName]: RagTool<N> }

/** The five retrieval tools. Each finds within the scope it is given and makes at most one model call, a query's embedding. */
export function createRagTools(needs: ToolNeeds): RagTools {
  return {
    get_similar_goals: similarGoals(needs),
    get_similar_code: similarCode(needs),
    get_course_documentation: courseDocumentation(needs),
    get_task_context: taskContext(needs),
    search_knowledge_base: knowledgeBase(needs)
  }
}
