import type { Draft } from './chat-types.ts'
import type { Conversation } from './conversation.ts'
import { plainAnswer } from './plain-answer.ts'
import { structuredAnswer } from './structured.ts'
import { decideTools } from './tool-rules.ts'

/** What the offline model says to a conversation: tools it calls, JSON of the wanted shape, or an answer in words. */
export function draftAnswer(conversation: Conversation): Draft {
  const toolCalls = decideTools(conversation)
  if (toolCalls.length > 0) return { content: null, toolCalls }
  const { format } = conversation.call
  if (format.kind === 'json_schema') return { content: structuredAnswer(format.schema, conversation), toolCalls: [] }
  const answer = plainAnswer(conversation)
  if (format.kind === 'json_object') return { content: JSON.stringify({ answer }), toolCalls: [] }
  return { content: answer, toolCalls: [] }
}
