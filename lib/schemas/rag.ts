import { z } from 'zod'
import { houseMessage } from './messages.ts'
import { sourceTypeSchema } from './sources.ts'
import { idSchema, textSchema } from './text.ts'

export const scopeNames = ['user', 'course', 'global'] as const

const common = {
  scope: z.enum(scopeNames).default('user'),
  limit: z.int().min(1).max(50).default(10)
}
const query = textSchema.trim().min(1).max(4_000)
const courseId = idSchema
const language = textSchema.trim().min(1).max(50)

type Filled = Record<string, unknown>

const onlyOneOf = (first: string, second: string) => (value: Filled) =>
  (value[first] === undefined) !== (value[second] === undefined)
const onlyOneOfError = (first: string, second: string) => ({
  error: `exactly one of ${first} and ${second} is needed`,
  path: [first]
})
const courseForScope = (value: Filled) => value.scope !== 'course' || value.courseId !== undefined
const courseForScopeError = { error: 'is required with scope "course"', path: ['courseId'] }

/** Arguments of the five retrieval tools: the same for the search route and for the agents. */
export const ragToolSchemas = {
  get_similar_goals: z
    .strictObject({ ...common, query: query.optional(), goalId: idSchema.optional(), courseId: courseId.optional() })
    .refine(onlyOneOf('query', 'goalId'), onlyOneOfError('query', 'goalId'))
    .refine(courseForScope, courseForScopeError),
  get_similar_code: z
    .strictObject({
      ...common,
      query: query.optional(),
      codeSnapshotId: idSchema.optional(),
      language: language.optional(),
      courseId: courseId.optional()
    })
    .refine(onlyOneOf('query', 'codeSnapshotId'), onlyOneOfError('query', 'codeSnapshotId'))
    .refine(courseForScope, courseForScopeError),
  get_course_documentation: z.strictObject({ ...common, courseId, query }),
  get_task_context: z
    .strictObject({
      ...common,
      taskId: idSchema,
      courseId: courseId.optional(),
      maxTokens: z.int().min(200).max(16_000).default(4_000).describe('about how many tokens all hits have together')
    })
    .refine(courseForScope, courseForScopeError),
  search_knowledge_base: z
    .strictObject({
      ...common,
      query,
      types: z.array(sourceTypeSchema).min(1).max(4).optional(),
      courseId: courseId.optional(),
      taskId: idSchema.optional().describe('the task itself and its code snapshots only'),
      language: language.optional().describe('natural or programming language, of the text or of its course')
    })
    .refine(courseForScope, courseForScopeError)
} as const

export const ragToolNames = [
  'get_similar_goals',
  'get_similar_code',
  'get_course_documentation',
  'get_task_context',
  'search_knowledge_base'
] as const
export type RagToolName = (typeof ragToolNames)[number]
export type RagToolArguments<N extends RagToolName> = z.output<(typeof ragToolSchemas)[N]>

const tool = <N extends RagToolName>(name: N) => z.object({ tool: z.literal(name) }).loose()

/** `POST /rag/search`: the arguments of one tool, and its name in `tool` (`search_knowledge_base` unless told). */
export const ragInputSchema = z
  .preprocess(
    (value) =>
      typeof value === 'object' && value !== null && !('tool' in value)
        ? { tool: 'search_knowledge_base', ...value }
        : value,
    z.discriminatedUnion('tool', [
      tool('get_similar_goals'),
      tool('get_similar_code'),
      tool('get_course_documentation'),
      tool('get_task_context'),
      tool('search_knowledge_base')
    ])
  )
  .transform(({ tool, ...rest }, context) => {
    const result = ragToolSchemas[tool].safeParse(rest, { error: houseMessage })
    if (result.success) return { tool, ...result.data } as RagInput
    for (const issue of result.error.issues) context.addIssue({ ...issue } as Parameters<typeof context.addIssue>[0])
    return z.NEVER
  })
export type RagInput = { [N in RagToolName]: { tool: N } & RagToolArguments<N> }[RagToolName]

export const ragHitSchema = z
  .object({
    sourceType: sourceTypeSchema,
    sourceId: z.uuid(),
    title: z.string(),
    content: z.string(),
    score: z.number(),
    chunk: z.int()
  })
  .meta({ id: 'RagHit' })
export type RagHit = z.infer<typeof ragHitSchema>

export const ragResultSchema = z
  .object({ strategy: z.enum(['exact', 'hnsw']), hits: z.array(ragHitSchema) })
  .meta({ id: 'RagResult' })
export type RagResult = z.infer<typeof ragResultSchema>
