import { encodeTokens } from '@goals/text'
import type { ChatCall } from './chat-types.ts'

/** Tokens around each message, and those that begin the answer, as the OpenAI cookbook counts them. */
const PER_MESSAGE = 3
const ANSWER_START = 3
/** A token number that no text has; it stands for the framing of messages. */
const FRAME = 200_001

/**
 * The whole prompt as tokens, in the order in which a provider reads it: tools, schema, messages. Its length is what
 * is billed; its leading part is what prompt caching compares.
 */
export function promptTokens(call: ChatCall): number[] {
  const tokens: number[] = []
  const add = (text: string) => {
    for (const token of encodeTokens(text)) tokens.push(token)
  }
  if (call.tools.length > 0) add(JSON.stringify(call.tools))
  if (call.format.kind === 'json_schema') add(JSON.stringify(call.format.schema))
  for (const message of call.messages) {
    for (let at = 0; at < PER_MESSAGE; at++) tokens.push(FRAME)
    add(message.role)
    if (message.name !== null) add(message.name)
    add(message.text)
    for (const toolCall of message.toolCalls) add(`${toolCall.name}${toolCall.arguments}`)
  }
  for (let at = 0; at < ANSWER_START; at++) tokens.push(FRAME)
  return tokens
}
