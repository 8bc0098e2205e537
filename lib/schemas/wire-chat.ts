import { z } from 'zod'
import { agentNames, chatInputSchema, chatResultSchema } from './chat.ts'

/** Longest message that an agent is asked, as `POST /chat` has it. */
export const longestMessageChars = 32_000

/**
 * A chat of OpenAI's wire format with the model of the provider: messages and parameters of the caller, which go to the
 * provider as they are.
 */
export const passedChatSchema = z.strictObject({
  messages: z.array(z.looseObject({ role: z.string() })).min(1),
  /** by their names on the wire */
  parameters: z.record(z.string(), z.unknown()),
  maxOutputTokens: z.int().min(1)
})
export type PassedChat = z.infer<typeof passedChatSchema>

/** A chat of OpenAI's wire format with an agent: the caller brings along what was said before, and no thread is kept. */
export const agentTurnSchema = z.strictObject({
  agent: z.enum(['auto', ...agentNames]),
  message: z.string().min(1).max(longestMessageChars),
  history: z.array(z.strictObject({ role: z.enum(['user', 'assistant']), content: z.string() })),
  maxOutputTokens: z.int().min(1).max(16_384).optional()
})
export type AgentTurn = z.infer<typeof agentTurnSchema>

/** What the input of a `chat_completion` job may be. */
export const chatJobSchema = z.union([chatInputSchema, passedChatSchema, agentTurnSchema])

const finishReasons = ['stop', 'length', 'tool_calls', 'content_filter'] as const

export const passedChatResultSchema = z
  .object({
    model: z.string(),
    message: z.object({ role: z.literal('assistant'), content: z.string(), refusal: z.string().nullable() }),
    toolCalls: z.array(z.object({ id: z.string(), name: z.string(), arguments: z.string() })),
    finishReason: z.enum(finishReasons),
    usage: z
      .object({
        promptTokens: z.int(),
        cachedTokens: z.int(),
        completionTokens: z.int(),
        reasoningTokens: z.int()
      })
      .describe('of the answer alone; that of the job counts what failed attempts took too')
  })
  .meta({ id: 'PassedChatResult' })
export type PassedChatResult = z.infer<typeof passedChatResultSchema>

export const agentTurnResultSchema = chatResultSchema.omit({ threadId: true }).meta({ id: 'AgentTurnResult' })
export type AgentTurnResult = z.infer<typeof agentTurnResultSchema>

export const chatJobResultSchema = z.union([chatResultSchema, agentTurnResultSchema, passedChatResultSchema])
