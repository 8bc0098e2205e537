import { toRagResult } from '../retriever.ts'
import { inCourse } from '../../access/scope.ts'
import { byText, type RagTool, type ToolNeeds } from './tool.ts'

/** Documents of one course, whatever the scope is beyond it; with `global` only when the course is public. */
export function courseDocumentation(needs: ToolNeeds): RagTool<'get_course_documentation'> {
  return async (scope, { courseId, query, limit }, call) => {
    const within = scope.kind === 'global' ? scope : inCourse(scope, courseId)
    const like = await byText(needs.models, query, call)
    return toRagResult(await needs.retriever.find(within, { ...like, types: ['document'], courseId, limit }))
  }
}
