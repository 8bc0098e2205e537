import type { Message, ToolCall } from './chat-types.ts'
import { isObject, type Json, requiredString } from './check.ts'
import { badRequest, invalidType, invalidValue, missingParameter } from './errors.ts'

const ROLES = ['system', 'assistant', 'user', 'tool', 'developer'] as const

/**
 * The messages of a chat request.
 * @throws {Refusal} 400 naming the message, also when tool calls and their answers do not fit together
 */
export function readMessages(body: Json): Message[] {
  const value = body['messages']
  if (value === undefined || value === null) throw missingParameter('messages')
  if (!Array.isArray(value)) throw invalidType('messages', 'an array of objects', value)
  if (value.length === 0) {
    const message =
      "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
    throw badRequest(message, 'messages', 'empty_array')
  }
  const messages = value.map((message, index) => readMessage(message, `messages[${index}]`))
  checkToolAnswers(messages)
  return messages
}

function readMessage(value: unknown, path: string): Message {
  if (!isObject(value)) throw invalidType(path, 'an object', value)
  const role = requiredString(value, 'role', `${path}.role`)
  const known = ROLES.find((name) => name === role)
  if (!known) throw invalidValue(`${path}.role`, role, ROLES)
  const toolCalls = known === 'assistant' ? readToolCalls(value['tool_calls'], `${path}.tool_calls`) : []
  const content = value['content']
  if ((content === undefined || content === null) && toolCalls.length === 0) {
    if (content === undefined) throw missingParameter(`${path}.content`)
    throw invalidType(`${path}.content`, 'one of a string or array of objects', content)
  }
  const toolCallId = known === 'tool' ? requiredString(value, 'tool_call_id', `${path}.tool_call_id`) : null
  const name = typeof value['name'] === 'string' ? value['name'] : null
  return { role: known, text: readContent(content, `${path}.content`), name, toolCalls, toolCallId }
}

function readContent(content: unknown, path: string): string {
  if (content === undefined || content === null) return ''
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw invalidType(path, 'one of a string or array of objects', content)
  return content.map((part, index) => readPart(part, `${path}[${index}]`)).join('\n')
}

function readPart(part: unknown, path: string): string {
  if (!isObject(part)) throw invalidType(path, 'an object', part)
  const type = requiredString(part, 'type', `${path}.type`)
  if (type === 'text') return requiredString(part, 'text', `${path}.text`)
  if (type === 'refusal') return requiredString(part, 'refusal', `${path}.refusal`)
  if (type === 'image_url' || type === 'input_audio' || type === 'file') {
    throw badRequest(`Invalid content type. ${type} is only supported by certain models.`, path)
  }
  throw invalidValue(`${path}.type`, type, ['text', 'image_url', 'input_audio', 'refusal', 'file'])
}

function readToolCalls(value: unknown, path: string): ToolCall[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw invalidType(path, 'an array of objects', value)
  return value.map((call, index) => {
    const at = `${path}[${index}]`
    if (!isObject(call)) throw invalidType(at, 'an object', call)
    const id = requiredString(call, 'id', `${at}.id`)
    const called = call['function']
    if (!isObject(called)) throw missingParameter(`${at}.function`)
    const name = requiredString(called, 'name', `${at}.function.name`)
    return { id, name, arguments: requiredString(called, 'arguments', `${at}.function.arguments`) }
  })
}

/** Every tool call is answered before anyone else speaks, and nothing is answered that was not asked. */
function checkToolAnswers(messages: readonly Message[]): void {
  let open = new Set<string>()
  messages.forEach((message, index) => {
    if (message.role === 'tool') {
      if (!open.delete(message.toolCallId ?? '')) {
        throw badRequest(
          "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
          `messages.[${index}].role`
        )
      }
      return
    }
    if (open.size > 0) throw unanswered(open, index - 1)
    open = new Set(message.toolCalls.map((call) => call.id))
  })
  if (open.size > 0) throw unanswered(open, messages.length - 1)
}

function unanswered(ids: ReadonlySet<string>, index: number) {
  return badRequest(
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. " +
      `The following tool_call_ids did not have response messages: ${[...ids].join(', ')}`,
    `messages.[${index}].role`
  )
}
