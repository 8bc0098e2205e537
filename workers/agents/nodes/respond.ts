import { JobError } from '../../../lib/jobs/job-error.ts'
import type { ChatAnswer, ChatMessage } from '../../../lib/models/client.ts'
import { createAnswerFilter } from '../answer-filter.ts'
import { isBudgetExhausted } from '../purse.ts'
import { linksIn } from '../links.ts'
import type { ChatState, Limit, Node } from '../state.ts'
import type { Run } from './run.ts'

/** Asks the model for an answer, which is either calls of tools or the end. */
export function respondNode(run: Run): Node {
  const { toolset, purse, models, stream, signal } = run
  return async (state) => {
    const startedAt = performance.now()
    const agent = state.agent ?? 'tutor'
    const tools = toolset.offered(agent, state.mayWrite)
    const mustEnd = state.rounds > 0 ? await purse.mustEnd(state, { messages: state.messages, tools }) : undefined
    const request = mustEnd
      ? { messages: [...state.messages, lastWords(mustEnd)] }
      : { messages: state.messages, tools }
    const allowance = await purse.allow(state, request)
    if (!allowance.ok) return end('', allowance.limit)
    const { maxOutputTokens: allowed, bound } = allowance

    const time = purse.timeSignal(state, startedAt)
    const writing = stream.begin(answerFilterOf(run, state))
    let answer: ChatAnswer
    try {
      answer = await models.chat({
        step: `respond:${state.rounds + 1}`,
        ...request,
        maxOutputTokens: allowed,
        signal: AbortSignal.any([signal, time]),
        onDelta: writing.push
      })
    } catch (error) {
      signal.throwIfAborted()
      if (time.aborted) return end(writing.text(), 'time')
      if (isBudgetExhausted(error)) return end(writing.text(), 'cost')
      throw error
    }
    if (answer.refusal !== null || answer.finishReason === 'content_filter') {
      stream.reset()
      throw new JobError('refused', 'the model declined to answer', { retryable: false })
    }
    if (answer.toolCalls.length > 0 && !mustEnd) {
      stream.reset()
      return { calls: answer.toolCalls, messages: [...state.messages, called(answer)], rounds: state.rounds + 1 }
    }
    return end(answer.content, mustEnd ?? (answer.finishReason === 'length' ? cutBy(answer) : undefined))

    /** Cut shorter than it was allowed to be: the user's budget had room for no more. */
    function cutBy({ usage }: ChatAnswer): Limit {
      return usage.completionTokens < allowed ? 'cost' : bound
    }

    function end(draft: string, limit: Limit | undefined): Partial<ChatState> {
      return { calls: [], draft, rounds: state.rounds + 1, limitReached: limit ?? state.limitReached }
    }
  }
}

/** An answer may cite the hits there are, and link to what they and the user's own words contain. */
export function answerFilterOf({ input, memory }: Pick<Run, 'input' | 'memory'>, { hits }: Pick<ChatState, 'hits'>) {
  const own = (memory?.messages ?? []).filter(({ role }) => role === 'user').map(({ content }) => content)
  return createAnswerFilter({
    citable: (n) => hits.some((hit) => hit.n === n),
    linkable: linksIn([...hits.map(({ content }) => content), input.message, ...own])
  })
}

const called = ({ content, toolCalls }: ChatAnswer): ChatMessage => ({
  role: 'assistant',
  content: content || null,
  tool_calls: toolCalls.map(({ id, name, arguments: args }) => ({
    id,
    type: 'function',
    function: { name, arguments: args }
  }))
})

const lastWords = (limit: Limit): ChatMessage => ({
  role: 'system',
  content: `The limit of this answer (${limit}) is reached: there are no more tools. Answer now with what you have, and say what is missing.`
})
