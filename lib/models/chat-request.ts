import type OpenAI from 'openai'

export type ChatMessage = OpenAI.Chat.Completions.ChatCompletionMessageParam
type ChatTool = OpenAI.Chat.Completions.ChatCompletionTool

export type ChatCall = {
  /** stable name of the call within its job, for example `respond:2` */
  step: string
  messages: ChatMessage[]
  tools?: ChatTool[] | undefined
  toolChoice?: OpenAI.Chat.Completions.ChatCompletionToolChoiceOption | undefined
  parallelToolCalls?: boolean | undefined
  /** strict JSON schema of the answer */
  responseFormat?: { name: string; schema: Record<string, unknown> } | undefined
  maxOutputTokens?: number | undefined
  signal: AbortSignal
  /** is told each piece of the answer's text as it comes */
  onDelta?: ((text: string) => void) | undefined
}

const defaultMaxOutputTokens = 4_096

/** What a call comes to for the provider: what its answer is kept under, and what its prompt is counted by. */
export function toRequest(model: string, call: ChatCall) {
  return {
    model,
    messages: call.messages,
    max_completion_tokens: call.maxOutputTokens ?? defaultMaxOutputTokens,
    ...(call.tools && call.tools.length > 0
      ? {
          tools: call.tools,
          ...(call.toolChoice ? { tool_choice: call.toolChoice } : {}),
          ...(call.parallelToolCalls === undefined ? {} : { parallel_tool_calls: call.parallelToolCalls })
        }
      : {}),
    ...(call.responseFormat
      ? { response_format: { type: 'json_schema' as const, json_schema: { ...call.responseFormat, strict: true } } }
      : {})
  }
}

export type ChatRequest = ReturnType<typeof toRequest>

/**
 * Every answer is asked for as a stream: only of what comes piece by piece can more than was asked for be refused while
 * it comes. Whether pieces come or the whole at once is the server's to decide.
 */
export const asStream = (request: ChatRequest) => ({
  ...request,
  stream: true as const,
  stream_options: { include_usage: true }
})
