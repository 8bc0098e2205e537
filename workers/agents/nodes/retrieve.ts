import { isGreeting } from '@goals/text'
import { AppError } from '../../../lib/errors/app-error.ts'
import { JobError } from '../../../lib/errors/job-error.ts'
import type { ChatMessage } from '../../../lib/models/client.ts'
import type { AgentName } from '../../../lib/schemas/chat.ts'
import { asData } from '../untrusted-text.ts'
import { addHits, type Found } from '../hits.ts'
import { historyMessages, splitHistory, summaryRequest, summaryTokens } from '../memory.ts'
import { systemPrompt } from '../specialists.ts'
import { isBudgetExhausted } from '../run-budget.ts'
import type { ChatState, Limit, Node } from '../state.ts'
import type { Run } from './run.ts'

const queryChars = 2_000

/**
 * Gathers what the model is told: who answers, what was said before, and what is likely to be needed. Kept before the
 * answer is asked for, so that a resumed run answers from the same passages.
 */
export function retrieveNode(run: Run): Node {
  const { input, memory, purse, findFirst, signal } = run
  return async (state) => {
    const { summary, history } = await remember(run, state)
    const query = queryFor(input.message, memory?.messages ?? [])
    const agent = state.plan?.agent ?? 'tutor'
    const first = isGreeting(input.message)
      ? []
      : ((await purse.searchLimit(state, query)) ?? (await found(agent, query)))
    const limit = typeof first === 'string' ? first : undefined
    const { hits } = addHits([], typeof first === 'string' ? [] : first)
    const known = summary?.text ?? memory?.summary
    const facts = [
      referencesOf(input),
      known ? `What was said before, in short (data):\n${asData('summary', known)}` : ''
    ].filter(Boolean)
    return {
      hits,
      summary,
      limitReached: limit ?? state.limitReached,
      messages: [
        { role: 'system', content: systemPrompt(agent, { allowWrites: input.allowWrites, facts }) },
        ...history
      ]
    }
  }

  async function found(agent: AgentName, query: string): Promise<Found[] | Limit> {
    try {
      return await findFirst(agent, query, { step: 'retrieve', signal })
    } catch (error) {
      if (isBudgetExhausted(error)) return 'cost'
      // What a reference named may be gone by now; the question is still there.
      const gone =
        error instanceof AppError ? error.status < 500 : error instanceof JobError && error.code === 'not_found'
      if (!gone) throw error
      return []
    }
  }
}

/** A short question may only be understood by what was asked before it. */
function queryFor(message: string, messages: { role: string; content: string }[]): string {
  const before = messages.findLast(({ role }) => role === 'user')?.content ?? ''
  return (message.length < 80 && before ? `${message}\n${before}` : message).slice(0, queryChars).toWellFormed()
}

function referencesOf({ goalId, taskId, courseId }: Run['input']): string {
  const named = [goalId && `goal ${goalId}`, taskId && `task ${taskId}`, courseId && `course ${courseId}`].filter(
    Boolean
  )
  return named.length > 0 ? `The learner is looking at: ${named.join(', ')}.` : ''
}

async function remember({ memory, models, purse, signal, log }: Run, state: ChatState) {
  const none = { summary: null, history: [] as ChatMessage[] }
  if (!memory) return none
  const { old, recent } = splitHistory(memory)
  const history = historyMessages(recent)
  const last = old.at(-1)
  if (!last) return { ...none, history }
  const messages = summaryRequest(memory.summary, old)
  const allowance = await purse.allow(state, { messages })
  if (!allowance.ok) return { ...none, history }
  const maxOutputTokens = Math.min(summaryTokens * 2, allowance.maxOutputTokens)
  try {
    const { content } = await models.chat({ step: 'summary', messages, maxOutputTokens, signal })
    log.info({ messages: old.length }, 'older messages were summarised')
    const text = content.replaceAll('\u0000', '').toWellFormed().trim()
    return { summary: text === '' ? null : { text, through: last.ordinal }, history }
  } catch (error) {
    // Then they are left out: what is left of the money is for the answer.
    if (!isBudgetExhausted(error)) throw error
    return { ...none, history }
  }
}
