import { isObject } from './check.ts'
import { type Conversation, isSystem, type ToolUse } from './conversation.ts'
import { quoteAnswer, summarize } from './extract.ts'
import { parseJson } from './passages.ts'
import { tidyTitle } from './titles.ts'

/** What is said when neither tools nor a schema decide: a summary, what tools did, quotations, or an honest nothing. */
export function plainAnswer(conversation: Conversation): string {
  if (asksForSummary(conversation)) return summaryOf(conversation)
  const reports = conversation.used.map(reportOf).filter((report) => report !== '')
  const quoted = quoteAnswer(conversation.asked, conversation.passages)
  if (quoted) return [...reports, quoted].join('\n\n')
  if (reports.length > 0) return reports.join('\n\n')
  return nothingToQuote(conversation)
}

/** A system message that asks for a summary makes the rest of the conversation the thing to summarise. */
function asksForSummary({ system }: Conversation): boolean {
  return /\bsummari[sz]e\b|\b(?:write|make|give|update|produce)\b.{0,40}\bsummary\b/i.test(system)
}

function summaryOf({ call }: Conversation): string {
  const names = { user: 'The user', assistant: 'The assistant', tool: 'A tool', system: '', developer: '' } as const
  const spoken = call.messages.filter((message) => !isSystem(message) && message.text.trim() !== '')
  if (spoken.length <= 1) {
    const text = spoken[0]?.text ?? ''
    return summarize(text, 5, 900) || tidyTitle(text) || 'There is nothing to summarise.'
  }
  const share = Math.max(120, Math.floor(1_200 / spoken.length))
  const lines = spoken
    .slice(-12)
    .map(({ role, text }) => `${names[role]}: ${summarize(text, 1, share) || tidyTitle(text)}`)
  return lines.join('\n')
}

/** One line on a tool whose result holds no passages; titles and states are taken from the result as they stand. */
function reportOf({ call, result }: ToolUse): string {
  const value = parseJson(result)
  const failed = isObject(value) && (value['error'] ?? value['errors'])
  if (failed) return `${call.name} did not work: ${tidyTitle(messageOf(failed))}.`
  const rows = rowsOf(value)
  if (rows === undefined) return ''
  const made = /create|add|update|change|complete|set/i.test(call.name)
  if (rows.length === 0) return `${call.name} found nothing.`
  const list = rows
    .slice(0, 10)
    .map(describeRow)
    .filter((row) => row !== '')
  if (list.length === 0) return ''
  return made
    ? `Done with ${call.name}: ${list.join('; ')}.`
    : `${call.name} lists:\n${list.map((row) => `- ${row}`).join('\n')}`
}

function rowsOf(value: unknown): unknown[] | undefined {
  if (Array.isArray(value)) return value
  if (!isObject(value) || Array.isArray(value['hits'])) return undefined
  const list = Object.values(value).find((member) => Array.isArray(member))
  if (Array.isArray(list)) return list
  if (typeof value['title'] === 'string') return [value]
  const inner = Object.values(value).find((member) => isObject(member) && typeof member['title'] === 'string')
  return inner === undefined ? undefined : [inner]
}

function describeRow(row: unknown): string {
  if (!isObject(row)) return typeof row === 'string' ? tidyTitle(row) : ''
  const title = row['title'] ?? row['name']
  if (typeof title !== 'string') return ''
  return typeof row['status'] === 'string' ? `“${tidyTitle(title)}” (${row['status']})` : `“${tidyTitle(title)}”`
}

function messageOf(error: unknown): string {
  if (typeof error === 'string') return error
  if (isObject(error) && typeof error['message'] === 'string') return error['message']
  return JSON.stringify(error)
}

function nothingToQuote({ asked, passages }: Conversation): string {
  const restated = tidyTitle(asked) || 'nothing in words'
  if (passages.length > 0) {
    return `The passages at hand say nothing that answers this. You asked: “${restated}”.`
  }
  return `This is the offline model: it quotes from passages it is given, and here it was given none. You asked: “${restated}”.`
}
