import { parseUsd } from '../money.ts'
import { chatInputSchema, chatResultSchema } from '../schemas/chat.ts'
import { chatJobResultSchema, chatJobSchema } from '../schemas/wire-chat.ts'
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
  stored: chatJobSchema,
  result: chatResultSchema,
  storedResult: chatJobResultSchema,
  // 32,000 characters of text, however they are written
  bodyLimitBytes: 256 * 1024,
  rateLimit: { limitPerMinute: 10, burst: 1 },
  concurrency: 8,
  attempts: 'configured',
  worstCase(input, { prices }) {
    if ('messages' in input) return chatCost(prices, Buffer.byteLength(JSON.stringify(input)), input.maxOutputTokens)
    if ('maxCostUsd' in input && input.maxCostUsd !== undefined) return parseUsd(input.maxCostUsd)
    return chatCost(prices, turnBytes + Buffer.byteLength(input.message), input.maxOutputTokens ?? answerTokens)
  },
  references: (input) =>
    'messages' in input || 'history' in input ? [] : referencesIn(input, 'threadId', 'goalId', 'taskId', 'courseId'),
  threadOf: (input) => ('threadId' in input ? input.threadId : undefined)
})
