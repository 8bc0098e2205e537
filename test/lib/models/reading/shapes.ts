import type { Answer } from '../../../../lib/models/reading/chat-reading.ts'
import { createChatReading } from '../../../../lib/models/reading/chat-reading.ts'
import { readChat } from '../../../../lib/models/reading/read-chat.ts'

type Random = () => number
type Json = Record<string, unknown>

/** What a model meant, before a server put it on the wire. */
export type Meant = {
  thought: string
  content: string
  calls: { name: string; arguments: string }[]
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number }
}

const oneOf = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
const chance = (random: Random, share: number) => random() < share

/** Cuts anywhere, also within characters. */
function cut(random: Random, text: string, most: number): string[] {
  const pieces: string[] = []
  for (let from = 0; from < text.length; ) {
    const length = 1 + Math.floor(random() * most)
    pieces.push(text.slice(from, from + length))
    from += length
  }
  return pieces
}

export function meant(random: Random): Meant {
  const words = [
    'Leaves',
    'take',
    'in',
    'light.',
    '😀',
    '\n',
    'naïve',
    '`<think>`',
    '<',
    '<thin',
    'a<b',
    '[1]',
    '```',
    'x'.repeat(40)
  ]
  const text = (most: number) =>
    Array.from({ length: Math.floor(random() * most) }, () => oneOf(random, words)).join(' ')
  const calls = Array.from({ length: chance(random, 0.5) ? 1 + Math.floor(random() * 3) : 0 }, () => ({
    name: oneOf(random, ['create_goal', 'create_goal', 'list_tasks']),
    arguments: JSON.stringify({ title: text(4), nested: { list: [1, '}', { a: text(2) }] } })
  }))
  return {
    thought: chance(random, 0.6) ? `I think ${text(8)}`.replaceAll('`<think>`', '').replaceAll('[1]', '') : '',
    content: `Say: ${text(20)}`.trimEnd(),
    calls,
    usage: { prompt_tokens: 21, completion_tokens: 10, total_tokens: 31 }
  }
}

/** The deltas of an answer, one shape of many. */
function deltas(random: Random, { thought, content, calls }: Meant): Json[] {
  const way = oneOf(random, ['tags', 'reasoning_content', 'reasoning', 'parts', 'both'])
  const asParts = chance(random, 0.3)
  const said = (text: string): Json => ({ content: asParts ? [{ type: 'text', text }] : text })
  const out: Json[] = chance(random, 0.5)
    ? [{ role: 'assistant', content: oneOf(random, ['', null]), tool_calls: null }]
    : []
  if (thought !== '' && way !== 'tags') {
    for (const text of cut(random, thought, 12)) {
      if (way === 'parts') out.push({ content: [{ type: 'thinking', thinking: [{ type: 'text', text }] }] })
      else if (way === 'both')
        out.push({ reasoning: text, reasoning_details: [{ type: 'reasoning.text', text }], content: '' })
      else out.push({ [way]: text })
    }
  }
  const whole = thought !== '' && way === 'tags' ? `<think>${thought}</think>\n\n${content}` : content
  for (const text of cut(random, whole, oneOf(random, [1, 4, 30, 1_000]))) out.push(said(text))
  out.push(...callDeltas(random, calls))
  return out
}

function callDeltas(random: Random, calls: Meant['calls']): Json[] {
  const way = oneOf(random, [
    'usual',
    'no index',
    'all zero',
    'objects',
    'no ids',
    'names repeated',
    'equal ids',
    'new ids'
  ])
  return calls.flatMap(({ name, arguments: given }, at): Json[] => {
    const id = way === 'equal ids' ? 'call' : `call-${at}`
    const index = way === 'no index' ? {} : { index: way === 'all zero' ? 0 : at }
    if (way === 'objects')
      return [{ tool_calls: [{ id, function: { name, arguments: JSON.parse(given) as unknown } }] }]
    if (way === 'no ids' || way === 'equal ids') {
      const ids = way === 'equal ids' ? { id } : {}
      return [
        {
          tool_calls: [{ ...ids, ...(chance(random, 0.5) ? { index: at } : {}), function: { name, arguments: given } }]
        }
      ]
    }
    const pieces = cut(random, given, 9)
    const first = { ...index, id, type: 'function', function: { name, arguments: '' } }
    return [
      first,
      ...pieces.map((piece, nth) => ({
        ...index,
        ...(way === 'new ids' ? { id: `other-${at}-${nth}` } : {}),
        function: { ...(way === 'names repeated' ? { name } : {}), arguments: piece }
      }))
    ].map((piece) => ({ tool_calls: [piece] }))
  })
}

/** The body of a stream: one way of many to send the same. */
export function streamBody(random: Random, answer: Meant): string {
  const ending = oneOf(random, ['\n', '\r\n', '\r'])
  const blank = ending + (chance(random, 0.1) ? '' : ending)
  const event = (value: unknown) =>
    `${chance(random, 0.1) ? `event: message${ending}` : ''}data:${chance(random, 0.5) ? ' ' : ''}${JSON.stringify(value)}${blank}`
  const chunk = (rest: Json) => event({ id: 'x', object: 'chat.completion.chunk', ...rest })
  const noise = () =>
    oneOf(random, [
      '',
      '',
      `: PROCESSING${ending}${ending}`,
      `data:${ending}${ending}`,
      `event: ping${ending}data: {}${ending}${ending}`,
      chunk({ choices: [] }),
      chunk({ choices: [{ index: 0, delta: null, finish_reason: null }] }),
      chunk({ choices: [{ index: 0, finish_reason: null, content_filter_results: { hate: { filtered: false } } }] }),
      chunk({ choices: [{ index: 0, delta: {} }], usage: null, error: null })
    ])
  let body = chance(random, 0.1) ? '\ufeff' : ''
  for (const delta of deltas(random, answer))
    body += noise() + chunk({ choices: [{ index: 0, delta, finish_reason: null }] })
  const finish = answer.calls.length > 0 ? 'tool_calls' : 'stop'
  const hasFinish = chance(random, 0.8)
  const usageWithFinish = hasFinish && chance(random, 0.3)
  if (hasFinish) {
    const rest = usageWithFinish ? { usage: answer.usage } : {}
    body += chunk({ choices: [{ index: 0, delta: {}, finish_reason: finish }], ...rest })
  }
  if (!usageWithFinish) body += chunk({ choices: [], usage: answer.usage })
  if (chance(random, 0.8)) body += `data: [DONE]${chance(random, 0.5) ? blank : ''}`
  return body
}

/** The body of an answer that came whole. */
export function wholeBody(random: Random, { thought, content, calls, usage }: Meant): string {
  const asParts = chance(random, 0.3)
  const way = oneOf(random, ['tags', 'reasoning_content', 'parts'])
  const tagged = way === 'tags' && thought !== '' ? `<think>${thought}</think>\n${content}` : content
  const text = [{ type: 'text', text: tagged }]
  const message = {
    role: 'assistant',
    ...(way === 'reasoning_content' && thought !== '' ? { reasoning_content: thought } : {}),
    content:
      way === 'parts' && thought !== '' ? [{ type: 'thinking', thinking: thought }, ...text] : asParts ? text : tagged,
    ...(calls.length > 0
      ? {
          tool_calls: calls.map(({ name, arguments: given }) => ({
            ...(chance(random, 0.5) ? { id: 'same' } : {}),
            function: { name, arguments: chance(random, 0.5) ? given : (JSON.parse(given) as unknown) }
          }))
        }
      : {})
  }
  const finish_reason = calls.length > 0 ? 'tool_calls' : 'stop'
  return JSON.stringify({ choices: [{ message, finish_reason }], usage }, null, chance(random, 0.3) ? 2 : 0)
}

function bodyOf(parts: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull(controller) {
      const part = parts.shift()
      if (part) controller.enqueue(part)
      else controller.close()
    }
  })
}

/** Cuts into pieces of bytes, also within characters. */
export function byteCuts(random: Random, text: string, most: number): Uint8Array[] {
  const bytes = new TextEncoder().encode(text)
  const parts: Uint8Array[] = []
  for (let from = 0; from < bytes.length; ) {
    const length = 1 + Math.floor(random() * most)
    parts.push(bytes.slice(from, from + length))
    from += length
  }
  return parts
}

/** Reads a body as a call would. */
export async function read(
  parts: Uint8Array[],
  { isJson = false, grantedTokens = 4_096, thinksUnopened = false } = {}
) {
  let told = ''
  let aborted = false
  const reading = createChatReading({
    step: 'respond',
    isJson,
    grantedTokens,
    thinksUnopened,
    onText: (text) => {
      told += text
    }
  })
  const outcome = await readChat(bodyOf(parts), reading, { grantedTokens, abort: () => (aborted = true) })
  return { outcome, told, aborted, reading, answer: outcome.ok ? outcome.answer : undefined }
}

export const withoutIds = (answer: Answer | undefined) =>
  answer && { ...answer, toolCalls: answer.toolCalls.map(({ name, arguments: given }) => ({ name, arguments: given })) }

export const bytesOf = (text: string): Uint8Array[] => [new TextEncoder().encode(text)]
export const events = (...chunks: unknown[]): Uint8Array[] =>
  bytesOf(chunks.map((chunk) => `data: ${typeof chunk === 'string' ? chunk : JSON.stringify(chunk)}\n\n`).join(''))
export const delta = (content: unknown, rest: Json = {}) => ({ choices: [{ index: 0, delta: { content, ...rest } }] })
