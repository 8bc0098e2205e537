import { z } from 'zod'
import { sourceTypeSchema } from './sources.ts'
import { idSchema, textSchema } from './text.ts'

export const agentNames = ['tutor', 'planner', 'reviewer'] as const
export type AgentName = (typeof agentNames)[number]

/** `POST /chat` */
export const chatInputSchema = z
  .strictObject({
    message: textSchema.trim().min(1).max(32_000),
    threadId: idSchema.optional(),
    goalId: idSchema.optional(),
    taskId: idSchema.optional(),
    courseId: idSchema.optional(),
    agent: z.enum(['auto', ...agentNames]).default('auto'),
    allowWrites: z
      .boolean()
      .default(false)
      .describe('whether goals and tasks may be created and changed, when the message asks for it'),
    maxOutputTokens: z.int().min(1).max(16_384).optional(),
    maxCostUsd: z.number().positive().max(100).optional()
  })
  .meta({ id: 'ChatRequest' })
export type ChatInput = z.infer<typeof chatInputSchema>

/** The records that an agent creates and changes. */
export const changeableTypes = ['goal', 'task'] as const
export type ChangeableType = (typeof changeableTypes)[number]

const changeSchema = z.object({
  type: z.enum(changeableTypes),
  id: z.uuid(),
  title: z.string(),
  action: z.enum(['created', 'updated', 'completed'])
})
export type ChatChange = z.infer<typeof changeSchema>

export const chatResultSchema = z
  .object({
    threadId: z.uuid(),
    agent: z.enum(agentNames),
    model: z.string(),
    message: z.object({ role: z.literal('assistant'), content: z.string() }),
    citations: z.array(
      z.object({ n: z.int(), sourceType: sourceTypeSchema, sourceId: z.uuid(), title: z.string(), score: z.number() })
    ),
    unsupported: z.array(z.string()).describe('sentences of the answer without a citation'),
    changes: z
      .array(changeSchema)
      .describe('records that were created or changed; `POST /jobs/{id}/undo` takes them back'),
    steps: z.array(z.object({ node: z.string(), tool: z.string().optional(), tookMs: z.number() })),
    limitReached: z.enum(['steps', 'tokens', 'time', 'cost']).nullable()
  })
  .meta({ id: 'ChatResult' })
export type ChatResult = z.infer<typeof chatResultSchema>
