import { z } from 'zod'
import { longestMessageChars } from '../../lib/schemas/wire-chat.ts'
import { unsupportedParameter, WireError } from './wire-error.ts'

const roles = ['developer', 'system', 'user', 'assistant', 'tool', 'function'] as const
const partSchema = z.looseObject({ type: z.string() })
const messageSchema = z.looseObject({
  role: z.enum(roles),
  content: z.union([z.string(), z.array(partSchema).min(1)]).nullish()
})
export type WireMessage = z.output<typeof messageSchema>

const toolSchema = z.looseObject({ type: z.string(), function: z.looseObject({ name: z.string() }).optional() })
const tokensSchema = z.int().min(1).max(1_000_000)

/**
 * Body of `POST /v1/chat/completions`. What the provider has to understand is checked by the provider; what is looked at
 * here is looked at because something is done with it.
 */
export const chatRequestSchema = z
  .looseObject({
    model: z.string(),
    messages: z.array(messageSchema).min(1),
    stream: z.boolean().nullish(),
    stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
    max_tokens: tokensSchema.nullish(),
    max_completion_tokens: tokensSchema.nullish(),
    n: z.int().nullish(),
    store: z.boolean().nullish(),
    temperature: z.number().min(0).max(2).nullish(),
    top_p: z.number().min(0).max(1).nullish(),
    stop: z.union([z.string(), z.array(z.string()).max(4)]).nullish(),
    seed: z.int().nullish(),
    tools: z.array(toolSchema).max(128).nullish(),
    tool_choice: z.union([z.enum(['none', 'auto', 'required']), z.looseObject({ type: z.string() })]).nullish(),
    parallel_tool_calls: z.boolean().nullish(),
    response_format: z.looseObject({ type: z.enum(['text', 'json_object', 'json_schema']) }).nullish()
  })
  .meta({ id: 'OpenAiChatRequest' })
export type ChatRequest = z.output<typeof chatRequestSchema>

/** Parameters that would change the answer, and why they are not kept. */
const unsupported: Record<string, string> = {
  audio: 'Answers are text.',
  function_call: "Use 'tool_choice' instead.",
  functions: "Use 'tools' instead.",
  logprobs: 'Log probabilities are not passed on.',
  moderation: 'Answers are not moderated here.',
  top_logprobs: 'Log probabilities are not passed on.',
  web_search_options: 'Nothing is searched on the web.',
  // of other servers, whose clients send them to whoever they think is one
  grammar: "Use 'response_format' instead.",
  guided_choice: "Use 'response_format' instead.",
  guided_json: "Use 'response_format' instead.",
  guided_regex: "Use 'response_format' instead.",
  min_p: "Use 'top_p' instead.",
  repetition_penalty: "Use 'frequency_penalty' instead.",
  top_k: "Use 'top_p' instead."
}
/** Values with which they change nothing. */
const isOff = (value: unknown): boolean => value === undefined || value === null || value === false || value === 0

/** @throws WireError 400 for the first parameter that would change the answer and cannot be kept */
export function refuseUnsupported(body: ChatRequest): void {
  for (const [name, why] of Object.entries(unsupported)) {
    if (!isOff(body[name])) throw unsupportedParameter(name, why)
  }
  if (body.n !== undefined && body.n !== null && body.n !== 1) {
    throw unsupportedParameter('n', 'Only one choice is made for each request: send the request again for another.')
  }
  const { modalities } = body
  if (Array.isArray(modalities) && modalities.some((one) => one !== 'text')) {
    throw unsupportedParameter('modalities', 'Answers are text.')
  }
  const custom = body.tools?.findIndex(({ type }) => type !== 'function') ?? -1
  if (custom >= 0) throw unsupportedParameter(`tools[${custom}].type`, "Only tools of type 'function' are passed on.")
}

/** Parameters that an agent cannot keep: it has tools and instructions of its own. */
const notForAgents = ['tools', 'response_format', 'stop', 'logit_bias'] as const

/** @throws WireError 400 for the first parameter that an agent cannot keep */
export function refuseForAgent(body: ChatRequest): void {
  for (const name of notForAgents) {
    const value = body[name]
    const isUsual =
      isOff(value) ||
      (Array.isArray(value) && value.length === 0) ||
      (name === 'response_format' && body.response_format?.type === 'text')
    if (!isUsual) throw unsupportedParameter(name, 'An agent answers in its own way: ask the model itself.')
  }
}

/**
 * What an agent is asked, and what was said before. Instructions of the caller are the caller's words like the others.
 * @throws WireError 400 for messages that are no conversation of texts with a question at its end
 */
export function conversationOf(messages: WireMessage[]) {
  const said = messages.map((message, at) => ({ role: roleOf(message, at), content: textOf(message, at) }))
  const last = said.at(-1)
  const param = `messages[${messages.length - 1}]`
  if (last?.role !== 'user' || last.content.trim() === '') {
    throw wrong(`${param}`, 'An agent is asked by a message of the user, which comes last.')
  }
  if (last.content.length > longestMessageChars) {
    throw wrong(`${param}.content`, `A message to an agent has at most ${longestMessageChars} characters.`)
  }
  return { message: last.content, history: said.slice(0, -1).filter(({ content }) => content.trim() !== '') }
}

function roleOf({ role }: WireMessage, at: number): 'user' | 'assistant' {
  if (role === 'tool' || role === 'function') {
    throw wrong(`messages[${at}].role`, 'An agent uses its own tools alone.')
  }
  return role === 'assistant' ? 'assistant' : 'user'
}

function textOf({ content }: WireMessage, at: number): string {
  if (typeof content === 'string') return content
  return (content ?? [])
    .map((part, index) => {
      const text = part.type === 'refusal' ? part.refusal : part.text
      if (typeof text === 'string') return text
      throw wrong(`messages[${at}].content[${index}]`, 'An agent reads text alone.')
    })
    .join('\n')
}

const wrong = (param: string, message: string): WireError =>
  new WireError(400, { message, param, code: 'invalid_value' })
