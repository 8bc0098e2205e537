import type OpenAI from 'openai'
import type { JobView } from '../../lib/schemas/job.ts'
import type { ChatAnswer } from './chat-answer.ts'

type Completion = OpenAI.Chat.ChatCompletion
type Chunk = OpenAI.Chat.ChatCompletionChunk
type Choice = OpenAI.Chat.ChatCompletionChunk.Choice
type Annotation = OpenAI.Chat.ChatCompletionMessage.Annotation
/** That API's own models of web search put annotations on a delta, which its types leave out. */
type Delta = OpenAI.Chat.ChatCompletionChunk.Choice.Delta & { annotations?: Annotation[] }

/** What all parts of one answer have in common. */
export type Head = { id: string; created: number; model: string }

/** The id is the job's, so that every process and every repetition says the same. */
export const headOf = ({ id, createdAt }: Pick<JobView, 'id' | 'createdAt'>, model: string): Head => ({
  id: `chatcmpl-${id.replaceAll('-', '')}`,
  created: Math.floor(Date.parse(createdAt) / 1_000),
  model
})

export function completionOf({ id, created, model }: Head, answer: ChatAnswer): Completion {
  const { content, refusal, annotations, finishReason, usage } = answer
  const calls = toolCallsOf(answer)
  return {
    id,
    object: 'chat.completion',
    created,
    model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: content === '' && calls.length > 0 ? null : content,
          refusal,
          annotations,
          ...(calls.length > 0 ? { tool_calls: calls } : {})
        },
        logprobs: null,
        finish_reason: finishReason
      }
    ],
    usage: usageOf(usage)
  } satisfies Completion
}

const toolCallsOf = ({ toolCalls }: ChatAnswer) =>
  toolCalls.map(
    ({ id, ...called }) =>
      ({ id, type: 'function', function: called }) satisfies OpenAI.Chat.ChatCompletionMessageFunctionToolCall
  )

function usageOf(usage: ChatAnswer['usage']): OpenAI.CompletionUsage {
  const { promptTokens, cachedTokens, completionTokens, reasoningTokens } = usage
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0
    }
  }
}

/** Writes the chunks of a stream. @param includeUsage whether the last one tells the tokens, and the others of none */
export function chunkWriter({ id, created, model }: Head, includeUsage: boolean) {
  const chunk = (choices: Choice[], usage: Chunk['usage'] = null): Chunk =>
    ({
      id,
      object: 'chat.completion.chunk',
      created,
      model,
      choices,
      ...(includeUsage ? { usage } : {})
    }) satisfies Chunk
  const choice = (delta: Delta, finishReason: Choice['finish_reason'] = null) =>
    chunk([{ index: 0, delta, logprobs: null, finish_reason: finishReason }])

  return {
    /** @param isText whether text follows, and not tool calls alone */
    first: (isText: boolean) => choice({ role: 'assistant', content: isText ? '' : null, refusal: null }),
    text: (content: string) => choice({ content }),
    /** What follows the text: a refusal, tool calls, annotations, why it ended, and what it took. */
    last(answer: ChatAnswer): Chunk[] {
      const { refusal, annotations, finishReason, usage } = answer
      const calls = toolCallsOf(answer).map((call, index) => choice({ tool_calls: [{ index, ...call }] }))
      return [
        ...(refusal === null ? [] : [choice({ refusal })]),
        ...calls,
        ...(annotations.length > 0 ? [choice({ annotations })] : []),
        choice({}, finishReason),
        ...(includeUsage ? [chunk([], usageOf(usage))] : [])
      ]
    }
  }
}
