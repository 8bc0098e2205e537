import type OpenAI from 'openai'
import type { Without } from './refused-parameters.ts'

type Message = OpenAI.Chat.Completions.ChatCompletionMessageParam
type AnyRequest = { messages: Message[]; [parameter: string]: unknown }

/**
 * A chat request as a server takes it that refuses some parameters: the limit of tokens under its older name or not at
 * all (what arrives is counted anyway), the schema of the answer in the instructions instead of `response_format`.
 */
export function adaptRequest<Request extends AnyRequest>(request: Request, without: Without): Request {
  if (without.size === 0) return request
  const said: AnyRequest = { ...request }
  const limit = said['max_completion_tokens']
  if (without.has('max_completion_tokens') || without.has('limit')) {
    delete said['max_completion_tokens']
    if (!without.has('max_tokens') && !without.has('limit')) said['max_tokens'] = limit
  }
  if (without.has('response_format')) {
    const schema = schemaOf(said['response_format'])
    if (schema !== undefined) said.messages = withSchema(said.messages, schema)
  }
  if (without.has('stream')) delete said['stream_options']
  for (const name of ['stream', 'stream_options', 'parallel_tool_calls', 'tool_choice', 'response_format'] as const) {
    if (without.has(name)) delete said[name]
  }
  return said as Request
}

function schemaOf(format: unknown): unknown {
  return (format as { json_schema?: { schema?: unknown } } | undefined)?.json_schema?.schema
}

/** At the end of the first instructions: templates of many models take one system message, and it comes first. */
function withSchema(messages: Message[], schema: unknown): Message[] {
  const told = `Answer with JSON that is valid for this JSON schema, and with nothing else:\n\`\`\`json\n${JSON.stringify(schema)}\n\`\`\``
  const [first, ...rest] = messages
  if (first?.role === 'system' && typeof first.content === 'string') {
    return [{ ...first, content: `${first.content}\n\n${told}` }, ...rest]
  }
  return [{ role: 'system', content: told }, ...messages]
}
