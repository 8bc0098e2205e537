import type OpenAI from 'openai'
import { JobError } from '../jobs/job-error.ts'
import type { Ledger } from '../store/ledger.ts'
import type { PicoUsd, TokenUsage } from '../usage/money.ts'
import type { UsageTracker } from '../usage/tracker.ts'
import { beginCall } from './begin-call.ts'
import { type Bookings, emptySettlement } from './booking.ts'
import { inputHash } from './input-hash.ts'
import { brokenOff, providerFailure } from './provider-error.ts'
import type { ProviderGuard } from './provider-guard.ts'
import { countTokensInTurns } from './tokens.ts'

export type ChatMessage = OpenAI.Chat.Completions.ChatCompletionMessageParam
type ChatTool = OpenAI.Chat.Completions.ChatCompletionTool
type ToolCall = { id: string; name: string; arguments: string }

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
  /** given: the answer is streamed, and each piece of text is told as it comes */
  onDelta?: ((text: string) => void) | undefined
}

export type ChatAnswer = {
  content: string
  toolCalls: ToolCall[]
  finishReason: string
  refusal: string | null
  usage: TokenUsage
  costPico: PicoUsd
  /** true when the answer had been paid for by an earlier run of the job */
  reused: boolean
}

type Answer = Pick<ChatAnswer, 'content' | 'toolCalls' | 'finishReason' | 'refusal'>
type Received = { answer: Answer; usage: TokenUsage | undefined; requestId: string | undefined }

const defaultMaxOutputTokens = 4_096

/**
 * Chat through the ledger: an answer that this job has already paid for is given back; otherwise one intent, one
 * request, one settlement.
 * @throws JobError for what the provider refused or broke off, the signal's reason when aborted
 */
export function createChat({
  openai,
  model,
  tracker,
  ledger,
  bookings,
  guard,
  timeoutMs
}: {
  openai: OpenAI
  model: string
  tracker: UsageTracker
  ledger: Ledger
  bookings: Bookings
  guard: ProviderGuard
  timeoutMs: number
}) {
  return async function chat(call: ChatCall): Promise<ChatAnswer> {
    const scope = tracker.current()
    const request = toRequest(model, call)
    const hash = inputHash(request)
    const stored = (await ledger.findResponse(scope.jobId, call.step, hash)) as
      | (Answer & { usage: TokenUsage })
      | undefined
    if (stored) {
      call.onDelta?.(stored.content)
      return { ...stored, costPico: 0n, reused: true }
    }
    const inputBytes = Buffer.byteLength(JSON.stringify(request))
    const maxOutputTokens = request.max_completion_tokens
    const booking = await beginCall({
      guard,
      bookings,
      kind: 'chat',
      model,
      tokens: Math.ceil(inputBytes / 4) + maxOutputTokens,
      maxOutputTokens,
      shares: [{ scope, step: call.step, inputHash: hash, inputBytes }],
      signal: call.signal
    })
    const affordable = { ...request, max_completion_tokens: booking.maxOutputTokens }
    const timeout = AbortSignal.timeout(timeoutMs)
    const options = {
      signal: AbortSignal.any([call.signal, timeout]),
      headers: { 'x-client-request-id': booking.id }
    }
    const partial = { text: '', requestId: undefined as string | undefined }
    let received: Received
    try {
      received = call.onDelta
        ? await streamed(openai, affordable, options, call.onDelta, partial)
        : await whole(openai, affordable, options)
    } catch (error) {
      const failure = providerFailure(error)
      if (failure.charge === 'unknown' && partial.requestId !== undefined) {
        await booking.settle(await cutSettlement(call, partial.text, partial.requestId, failure.error.code))
      } else await booking.settle(emptySettlement(failure.charge, failure.error.code, 1))
      await (call.signal.aborted ? guard.leave(model) : guard.report(model, failure))
      call.signal.throwIfAborted()
      throw timeout.aborted ? timedOut(timeoutMs) : failure.error
    }
    const { answer, requestId } = received
    const usage = received.usage ?? (await estimatedUsage(call, answer.content))
    const costPico = await booking.settle({
      state: received.usage ? 'settled' : 'estimated',
      usage,
      requestId,
      shares: [{ usage, response: { ...answer, usage } }]
    })
    await guard.report(model, undefined)
    return { ...answer, usage, costPico, reused: false }
  }
}

function toRequest(model: string, call: ChatCall) {
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

type Request = ReturnType<typeof toRequest>
type Options = { signal: AbortSignal; headers: Record<string, string> }

async function whole(openai: OpenAI, request: Request, options: Options): Promise<Received> {
  const { data, request_id } = await openai.chat.completions.create(request, options).withResponse()
  const choice = data.choices?.[0]
  if (!choice) throw new JobError('provider_malformed', 'the model provider sent no answer', { retryable: true })
  return {
    answer: {
      content: choice.message.content ?? '',
      toolCalls: (choice.message.tool_calls ?? []).flatMap((item) =>
        item.type === 'function' ? [{ id: item.id, name: item.function.name, arguments: item.function.arguments }] : []
      ),
      finishReason: choice.finish_reason,
      refusal: choice.message.refusal ?? null
    },
    usage: data.usage && toUsage(data.usage),
    requestId: request_id ?? undefined
  }
}

/** Reads a stream to its end. One that ends without a finish reason was cut, though the SDK ends it silently. */
async function streamed(
  openai: OpenAI,
  request: Request,
  options: Options,
  onDelta: (text: string) => void,
  partial: { text: string; requestId: string | undefined }
): Promise<Received> {
  const { data: stream, request_id } = await openai.chat.completions
    .create({ ...request, stream: true, stream_options: { include_usage: true } }, options)
    .withResponse()
  partial.requestId = request_id ?? ''
  const toolCalls: ToolCall[] = []
  let finishReason: string | undefined
  let refusal: string | null = null
  let usage: TokenUsage | undefined
  for await (const chunk of stream) {
    if (chunk.usage) usage = toUsage(chunk.usage)
    const choice = chunk.choices?.[0]
    if (!choice) continue
    const { delta } = choice
    if (delta.refusal) refusal = (refusal ?? '') + delta.refusal
    for (const piece of delta.tool_calls ?? []) {
      const item = (toolCalls[piece.index] ??= { id: '', name: '', arguments: '' })
      item.id ||= piece.id ?? ''
      item.name += piece.function?.name ?? ''
      item.arguments += piece.function?.arguments ?? ''
    }
    if (delta.content) {
      partial.text += delta.content
      onDelta(delta.content)
    }
    if (choice.finish_reason) finishReason = choice.finish_reason
  }
  options.signal.throwIfAborted()
  if (finishReason === undefined) throw brokenOff()
  return {
    answer: { content: partial.text, toolCalls: toolCalls.filter(Boolean), finishReason, refusal },
    usage,
    requestId: request_id ?? undefined
  }
}

function toUsage(usage: OpenAI.CompletionUsage): TokenUsage {
  return {
    promptTokens: usage.prompt_tokens,
    cachedTokens: usage.prompt_tokens_details?.cached_tokens ?? 0,
    completionTokens: usage.completion_tokens,
    reasoningTokens: usage.completion_tokens_details?.reasoning_tokens ?? 0
  }
}

/** What a stream that was cut before its usage most likely cost. */
async function estimatedUsage(call: ChatCall, text: string): Promise<TokenUsage> {
  // Without the call's signal: what was received has to be booked, whether or not the job goes on.
  const texts = [JSON.stringify(call.messages), text]
  const [promptTokens = 0, completionTokens = 0] = await countTokensInTurns(texts)
  return { promptTokens, cachedTokens: 0, completionTokens, reasoningTokens: 0 }
}

async function cutSettlement(call: ChatCall, text: string, requestId: string, error: string) {
  const usage = await estimatedUsage(call, text)
  return { state: 'estimated' as const, usage, requestId, error, shares: [{ usage }] }
}

function timedOut(timeoutMs: number): JobError {
  return new JobError('provider_timeout', `the model provider did not answer within ${timeoutMs / 1000} s`, {
    retryable: true
  })
}
