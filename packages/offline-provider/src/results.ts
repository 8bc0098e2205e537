import type { ToolUse } from './conversation.ts'

const OPENING = /<tool_result tool="([\w-]{1,64})">\n/g
const CLOSING = '\n</tool_result>'

type Found = { start: number; end: number; name: string; result: string }

/** Results of tools that a message brings along as `<tool_result tool="…">` elements. */
export const resultsInText = (text: string): ToolUse[] =>
  elements(text).map(({ name, result }) => ({ call: { id: '', name, arguments: '{}' }, result }))

/** The message without them. */
export function withoutResults(text: string): string {
  const found = elements(text)
  if (found.length === 0) return text
  const parts = found.map(({ start }, at) => text.slice(found[at - 1]?.end ?? 0, start))
  return [...parts, text.slice(found.at(-1)?.end)].join('').trim()
}

/** The elements one after the other, in one pass; an opening that is never closed ends the search. */
function elements(text: string): Found[] {
  const found: Found[] = []
  OPENING.lastIndex = 0
  for (let opening = OPENING.exec(text); opening; opening = OPENING.exec(text)) {
    const from = OPENING.lastIndex
    const to = text.indexOf(CLOSING, from - 1)
    if (to < 0) break
    const end = to + CLOSING.length
    found.push({ start: opening.index, end, name: opening[1] ?? '', result: text.slice(from, Math.max(from, to)) })
    OPENING.lastIndex = end
  }
  return found
}
