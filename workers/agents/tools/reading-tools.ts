/** The tools that a plan may name. They read, within the scope of the person the run is for; there are none that write. */
export const readingToolNames = [
  'list_goals',
  'get_goal',
  'list_tasks',
  'get_task',
  'list_code_snapshots',
  'get_code_snapshot',
  'search_knowledge_base',
  'get_course_documentation',
  'get_task_context',
  'get_similar_goals',
  'get_similar_code'
] as const
export type ReadingToolName = (typeof readingToolNames)[number]
