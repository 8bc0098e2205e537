import { parseUsd } from '../money.ts'
import { chatInputSchema, chatResultSchema } from '../schemas/chat.ts'
import { defineAction } from './define-action.ts'
import { referencesIn } from './references.ts'
import { chatCost } from './worst-case.ts'

/** A first turn: instructions, passages and history, in bytes, and its answer. Later turns raise the reserve. */
const turnBytes = 48_000
const answerTokens = 4_096

export const chatCompletion = defineAction({
  name: 'chat_completion',
  route: '/chat',
  summary: 'Ask an agent',
  input: chatInputSchema,
  result: chatResultSchema,
  // 32,000 characters of text, however they are written
  bodyLimitBytes: 256 * 1024,
  rateLimit: { limitPerMinute: 10, burst: 1 },
  concurrency: 8,
  attempts: 'configured',
  worstCase({ message, maxOutputTokens, maxCostUsd }, { prices }) {
    if (maxCostUsd !== undefined) return parseUsd(maxCostUsd)
    return chatCost(prices, turnBytes + Buffer.byteLength(message), maxOutputTokens ?? answerTokens)
  },
  references: (input) => referencesIn(input, 'threadId', 'goalId', 'taskId', 'courseId'),
  threadOf: ({ threadId }) => threadId
})
