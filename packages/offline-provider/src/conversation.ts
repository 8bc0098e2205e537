import type { ChatCall, Message, ToolCall } from './chat-types.ts'
import { type Passage, passagesInText, passagesInToolResult, withoutPassages } from './passages.ts'
import { resultsInText, withoutResults } from './results.ts'

/** A call of this turn with what the tool answered. */
export type ToolUse = { call: ToolCall; result: string }

/** What the rules look at, gathered once from a request. */
export type Conversation = {
  call: ChatCall
  /** System and developer messages, joined. */
  system: string
  /** The last user message without passages and code. */
  asked: string
  /** The user message that is to be answered, without results in it. */
  lastUser: string
  /** The last user message; another than `lastUser` when it only sends an answer back. */
  said: string
  /** The last user message that has a code block, else `lastUser`. */
  withCode: string
  /** Tool calls since the last user message, with their results, after those whose results it brings along. */
  used: ToolUse[]
  /** Passages of the system messages, the last user message and the tool results of this turn. */
  passages: Passage[]
  /** The assistant's last message before the last user message. */
  lastAssistant: string
}

export function readConversation(call: ChatCall): Conversation {
  const { messages } = call
  const said = messages.findLastIndex((message) => message.role === 'user')
  const at = answeredMessage(call, said)
  const sent = messages[at]?.text ?? ''
  const lastUser = withoutResults(sent)
  const system = messages
    .filter(isSystem)
    .map((message) => message.text)
    .join('\n\n')
  const used = [...resultsInText(sent), ...usedSince(messages.slice(at + 1))]
  return {
    call,
    system,
    asked: withoutCode(unwrapped(withoutPassages(lastUser))),
    lastUser,
    said: messages[said]?.text ?? '',
    withCode: messages.findLast((message) => message.role === 'user' && message.text.includes('```'))?.text ?? lastUser,
    used,
    passages: gatherPassages([system, lastUser], used),
    lastAssistant: messages.slice(0, Math.max(at, 0)).findLast((message) => message.role === 'assistant')?.text ?? ''
  }
}

/** An answer that is sent back because it was no JSON of the wanted shape asks the question before it once more. */
function answeredMessage({ messages, format }: ChatCall, last: number): number {
  const repairs = format.kind === 'json_schema' && messages[last - 1]?.role === 'assistant'
  if (!repairs || !/\bJSON\b/.test(messages[last]?.text ?? '')) return last
  const before = messages.slice(0, last).findLastIndex((message) => message.role === 'user')
  return before < 0 ? last : before
}

export const isSystem = (message: Message): boolean => message.role === 'system' || message.role === 'developer'

/** `<message>…</message>` around all of it marks a message as data; what it asks is inside. */
function unwrapped(text: string): string {
  const whole = text.trim()
  const [start = '', name] = /^<([a-z_]{1,40})>/.exec(whole) ?? []
  const end = `</${name}>`
  const wraps = start !== '' && whole.endsWith(end) && whole.length >= start.length + end.length
  return wraps ? whole.slice(start.length, -end.length).trim() : text
}

export function withoutCode(text: string): string {
  return text
    .replace(/```[\s\S]*?(?:```|$)/g, ' ')
    .replace(/[ \t]+/g, ' ')
    .trim()
}

function usedSince(messages: readonly Message[]): ToolUse[] {
  const calls = messages.flatMap((message) => message.toolCalls)
  return calls.map((call) => {
    const answer = messages.find((message) => message.role === 'tool' && message.toolCallId === call.id)
    return { call, result: answer?.text ?? '' }
  })
}

function gatherPassages(texts: readonly string[], used: readonly ToolUse[]): Passage[] {
  const passages = texts.flatMap(passagesInText)
  for (const { result } of used) {
    const next = passages.reduce((most, { n }) => Math.max(most, n), 0) + 1
    for (const passage of passagesInToolResult(result, next)) passages.push(passage)
  }
  const seen = new Set<string>()
  return passages.filter(({ n, content }) => {
    const key = `${n} ${content}`
    if (content === '' || seen.has(key)) return false
    seen.add(key)
    return true
  })
}
