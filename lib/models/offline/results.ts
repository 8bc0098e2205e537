import type { ToolUse } from './conversation.ts'

const RESULT = /<tool_result tool="([\w-]{1,64})">\n([\s\S]*?)\n<\/tool_result>/g

/** Results of tools that a message brings along as `<tool_result tool="…">` elements. */
export function resultsInText(text: string): ToolUse[] {
  return [...text.matchAll(RESULT)].map(([, name = '', result = '']) => ({
    call: { id: '', name, arguments: '{}' },
    result
  }))
}

/** The message without them. */
export const withoutResults = (text: string): string =>
  text.includes('<tool_result ') ? text.replace(RESULT, '').trim() : text
