import type OpenAI from 'openai'
import type { JobView } from '../../lib/schemas/job.ts'
import type { SourceType } from '../../lib/schemas/sources.ts'
import type { AgentTurnResult, PassedChatResult } from '../../lib/schemas/wire-chat.ts'

type Annotation = OpenAI.Chat.ChatCompletionMessage.Annotation

/** What a chat came to, whoever answered it. */
export type ChatAnswer = {
  content: string
  refusal: string | null
  toolCalls: PassedChatResult['toolCalls']
  /** where an agent's answer cites something */
  annotations: Annotation[]
  finishReason: PassedChatResult['finishReason']
  usage: PassedChatResult['usage']
}

/** @param origin scheme, host and port under which the client reaches the platform, for addresses of what is cited */
export function answerOf({ result, usage }: Pick<JobView, 'result' | 'usage'>, origin: string): ChatAnswer {
  const found = result as PassedChatResult | AgentTurnResult
  if ('finishReason' in found) {
    const { message, toolCalls, finishReason } = found
    const { content, refusal } = message
    return { content, refusal, toolCalls, annotations: [], finishReason, usage: found.usage }
  }
  const { content } = found.message
  return {
    content,
    refusal: null,
    toolCalls: [],
    annotations: annotationsOf(content, found.citations, origin),
    finishReason: found.limitReached === null ? 'stop' : 'length',
    usage
  }
}

const routes: Record<SourceType, string> = {
  goal: 'goals',
  task: 'tasks',
  code_snapshot: 'code-snapshots',
  document: 'documents'
}

/** Each place where the answer cites a source, `[3]`. */
function annotationsOf(content: string, citations: AgentTurnResult['citations'], origin: string): Annotation[] {
  return [...content.matchAll(/\[(\d{1,4})\]/g)].flatMap(({ 0: mark, 1: n, index }) => {
    const cited = citations.find((citation) => citation.n === Number(n))
    if (!cited) return []
    const { sourceType, sourceId, title } = cited
    return [
      {
        type: 'url_citation' as const,
        url_citation: {
          start_index: index,
          end_index: index + mark.length,
          title,
          url: `${origin}/api/v1/${routes[sourceType]}/${sourceId}`
        }
      }
    ]
  })
}
