import type OpenAI from 'openai'
import type { Refusable } from './refused-parameters.ts'

export type ChatMessage = OpenAI.Chat.Completions.ChatCompletionMessageParam
type ChatTool = OpenAI.Chat.Completions.ChatCompletionTool

/** Parameters whose meaning is between a caller of OpenAI's API and the provider. */
export const passedParameters = [
  'temperature',
  'top_p',
  'presence_penalty',
  'frequency_penalty',
  'logit_bias',
  'seed',
  'stop',
  'response_format',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'reasoning_effort',
  'verbosity'
] as const
export type PassedParameters = Pick<
  OpenAI.Chat.Completions.ChatCompletionCreateParams,
  (typeof passedParameters)[number]
>

export type ChatCall = {
  /** stable name of the call within its job, for example `respond:2` */
  step: string
  messages: ChatMessage[]
  tools?: ChatTool[] | undefined
  toolChoice?: OpenAI.Chat.Completions.ChatCompletionToolChoiceOption | undefined
  parallelToolCalls?: boolean | undefined
  /** strict JSON schema of the answer */
  responseFormat?: { name: string; schema: Record<string, unknown> } | undefined
  /** further parameters of the wire, which somebody else chose: they are sent as they are, or not at all */
  passed?: PassedParameters | undefined
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
      : {}),
    ...(call.passed as Pick<PassedParameters, 'tools' | 'response_format'> | undefined)
  }
}

export type ChatRequest = ReturnType<typeof toRequest>

/** Whether the answer is to be JSON. */
export const wantsJson = ({ response_format: format }: ChatRequest): boolean =>
  format !== undefined && format.type !== 'text'

/** Of what a provider refuses, that which may be left out: not what somebody else chose. */
export const mayGoWithout =
  ({ passed }: ChatCall) =>
  (name: Refusable | 'limit'): boolean =>
    !passed || name === 'limit' || passed[name as keyof PassedParameters] === undefined

/**
 * Every answer is asked for as a stream: only of what comes piece by piece can more than was asked for be refused while
 * it comes. Whether pieces come or the whole at once is the server's to decide.
 */
export const asStream = (request: ChatRequest) => ({
  ...request,
  stream: true as const,
  stream_options: { include_usage: true }
})
