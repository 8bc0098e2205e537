import { readMessages } from './chat-messages.ts'
import { readResponseFormat, readToolChoice, readTools } from './chat-tools.ts'
import type { ChatCall } from './chat-types.ts'
import {
  isObject,
  type Json,
  optionalBoolean,
  optionalChoice,
  optionalNumber,
  optionalString,
  requiredModel
} from './check.ts'
import { badRequest, invalidType, unsupportedParameter } from './errors.ts'
import { chatModel, type ModelInfo } from './models.ts'

const KNOWN = new Set(
  (
    'messages model audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens ' +
    'metadata modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options ' +
    'prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop store stream ' +
    'stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options'
  ).split(' ')
)
const REFUSED = ['functions', 'function_call', 'audio', 'prediction', 'web_search_options'] as const

/**
 * A chat request in the provider's own terms.
 * @throws {Refusal} 400, 403 or 404 in the API's words, for the first thing that is wrong
 */
export function readChatRequest(body: Json): ChatCall {
  const model = chatModel(requiredModel(body))
  const unknown = Object.keys(body).find((name) => !KNOWN.has(name))
  if (unknown !== undefined) throw badRequest(`Unknown parameter: '${unknown}'.`, unknown, 'unknown_parameter')
  for (const name of REFUSED) if (body[name] !== undefined && body[name] !== null) throw unsupportedParameter(name)
  checkSampling(body, model)
  const messages = readMessages(body)
  const tools = readTools(body)
  const stream = optionalBoolean(body, 'stream') ?? false
  const parallelToolCalls = optionalBoolean(body, 'parallel_tool_calls')
  if (parallelToolCalls !== undefined && tools.length === 0) {
    throw badRequest(
      "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when 'tools' are specified.",
      'parallel_tool_calls'
    )
  }
  return {
    model,
    messages,
    tools,
    toolChoice: readToolChoice(body, tools),
    parallelToolCalls: parallelToolCalls ?? true,
    format: readResponseFormat(
      body,
      messages.map((message) => message.text)
    ),
    maxTokens: readMaxTokens(body, model),
    stop: readStop(body),
    n: optionalNumber(body, 'n', { min: 1, max: 4, integer: true }) ?? 1,
    stream,
    includeUsage: readIncludeUsage(body, stream),
    reasoningEffort: readEffort(body, model),
    user: optionalString(body, 'user') ?? null
  }
}

function checkSampling(body: Json, model: ModelInfo): void {
  const temperature = optionalNumber(body, 'temperature', { min: 0, max: 2 })
  if (model.reasons && temperature !== undefined && temperature !== 1) {
    const message = `Unsupported value: 'temperature' does not support ${temperature} with this model. Only the default (1) value is supported.`
    throw badRequest(message, 'temperature', 'unsupported_value')
  }
  optionalNumber(body, 'top_p', { min: 0, max: 1 })
  optionalNumber(body, 'presence_penalty', { min: -2, max: 2 })
  optionalNumber(body, 'frequency_penalty', { min: -2, max: 2 })
  optionalNumber(body, 'seed', { integer: true })
  if (body['logprobs'] === true || typeof body['top_logprobs'] === 'number') {
    throw badRequest('You are not allowed to request logprobs from this model.', 'logprobs', 'unsupported_parameter')
  }
}

function readMaxTokens(body: Json, model: ModelInfo): number {
  const old = optionalNumber(body, 'max_tokens', { min: 1, integer: true })
  const current = optionalNumber(body, 'max_completion_tokens', { min: 1, integer: true })
  if (old !== undefined && model.reasons) throw unsupportedParameter('max_tokens', 'max_completion_tokens')
  if (old !== undefined && current !== undefined) {
    throw badRequest(
      "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
      'max_tokens'
    )
  }
  const name = old === undefined ? 'max_completion_tokens' : 'max_tokens'
  const wanted = old ?? current ?? model.maxCompletionTokens
  if (wanted <= model.maxCompletionTokens) return wanted
  throw badRequest(
    `${name} is too large: ${wanted}. This model supports at most ${model.maxCompletionTokens} completion tokens, ` +
      `whereas you provided ${wanted}.`,
    name,
    'invalid_value'
  )
}

function readStop(body: Json): string[] {
  const value = body['stop']
  if (value === undefined || value === null) return []
  const list: unknown[] = Array.isArray(value) ? value : [value]
  if (list.length > 4) {
    const message = `Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length ${list.length} instead.`
    throw badRequest(message, 'stop', 'array_above_max_length')
  }
  return list.map((entry) => {
    if (typeof entry !== 'string') throw invalidType('stop', 'one of a string or array of strings', entry)
    return entry
  })
}

function readIncludeUsage(body: Json, stream: boolean): boolean {
  const value = body['stream_options']
  if (value === undefined || value === null) return false
  if (!stream)
    throw badRequest("The 'stream_options' parameter is only allowed when 'stream' is enabled.", 'stream_options')
  if (!isObject(value)) throw invalidType('stream_options', 'an object', value)
  return value['include_usage'] === true
}

function readEffort(body: Json, model: ModelInfo): string | null {
  const effort = optionalChoice(body, 'reasoning_effort', ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'])
  if (effort !== undefined && !model.reasons) throw unsupportedParameter('reasoning_effort')
  return effort ?? null
}
