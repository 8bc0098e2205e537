import type { ChatMessage } from '../../lib/models/client.ts'
import { asData } from './untrusted-text.ts'
import { passages } from './hits.ts'
import type { ChatState } from './state.ts'

/**
 * What a model is told that writes: the conversation, then all that was found and done, as data, then the message.
 * Whoever is told this may read what others wrote, and so is never offered a tool.
 */
export function answerMessages({ messages, hits, results }: ChatState, message: string): ChatMessage[] {
  const found = hits.length > 0 ? `<passages>\n${passages(hits)}\n</passages>` : ''
  const done = results.map(({ tool, content }) => asData('tool_result', content, { tool })).join('\n')
  return [...messages, { role: 'user', content: [found, done, message].filter(Boolean).join('\n\n') }]
}
