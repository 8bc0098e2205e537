import type { Json } from './check.ts'
import type { ModelInfo } from './models.ts'

export type ToolCall = { id: string; name: string; arguments: string }

/** One message with its text parts joined. */
export type Message = {
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool'
  text: string
  name: string | null
  toolCalls: ToolCall[]
  toolCallId: string | null
}

export type Tool = { name: string; description: string; parameters: Json }

export type ToolChoice = { kind: 'none' | 'auto' | 'required' } | { kind: 'named'; name: string }

export type ResponseFormat =
  | { kind: 'text' }
  | { kind: 'json_object' }
  | { kind: 'json_schema'; name: string; schema: Json }

/** A chat request that passed validation. */
export type ChatCall = {
  model: ModelInfo
  messages: Message[]
  tools: Tool[]
  toolChoice: ToolChoice
  parallelToolCalls: boolean
  format: ResponseFormat
  maxTokens: number
  stop: string[]
  n: number
  stream: boolean
  includeUsage: boolean
  reasoningEffort: string | null
  user: string | null
}

/** What the model says: text, or tools to call, or both. */
export type Draft = { content: string | null; toolCalls: { name: string; arguments: string }[] }
