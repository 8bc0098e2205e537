import { JobError } from '../../../lib/errors/job-error.ts'
import type { ChatAnswer } from '../../../lib/models/client.ts'
import { createAnswerFilter } from '../answer-filter.ts'
import { answerMessages } from '../answer-request.ts'
import { isBudgetExhausted } from '../run-budget.ts'
import { type Linkable, linksIn } from '../links.ts'
import type { ChatState, Limit, Node } from '../state.ts'
import type { Run } from './run.ts'

/** Asks the model for the answer. It reads what others wrote, and so has no tools: text is all that comes of it. */
export function respondNode(run: Run): Node {
  const { input, purse, models, stream, signal } = run
  return async (state) => {
    const startedAt = performance.now()
    const messages = answerMessages(state, input.message)
    const allowance = await purse.allow(state, { messages })
    if (!allowance.ok) return end('', allowance.limit)
    const { maxOutputTokens: allowed, bound } = allowance

    const time = purse.timeSignal(state, startedAt)
    const writing = stream.begin(answerFilterOf(run, state))
    let answer: ChatAnswer
    try {
      answer = await models.chat({
        step: 'respond',
        messages,
        maxOutputTokens: allowed,
        signal: AbortSignal.any([signal, time]),
        // What it says of changes is taken out of the whole, so that nobody reads it meanwhile.
        onDelta: state.report ? undefined : writing.push
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
    return end(answer.content, answer.finishReason === 'length' ? cutBy(answer) : undefined)

    /** Cut shorter than it was allowed to be: the user's budget had room for no more. */
    function cutBy({ usage }: ChatAnswer): Limit {
      return usage.completionTokens < allowed ? 'cost' : bound
    }

    function end(draft: string, limit: Limit | undefined): Partial<ChatState> {
      return { draft, limitReached: limit ?? state.limitReached }
    }
  }
}

/** An answer may cite the hits there are, and link to what they and the user's own words contain. */
export function answerFilterOf(run: Pick<Run, 'input' | 'memory'>, state: Pick<ChatState, 'hits'>) {
  return createAnswerFilter({
    citable: (n) => state.hits.some((hit) => hit.n === n),
    linkable: linkableIn(run, state)
  })
}

/** What may be linked to: what the hits and the user's own words contain. */
export function linkableIn(
  { input, memory }: Pick<Run, 'input' | 'memory'>,
  { hits }: Pick<ChatState, 'hits'>
): Linkable {
  const own = (memory?.messages ?? []).filter(({ role }) => role === 'user').map(({ content }) => content)
  return linksIn([...hits.map(({ content }) => content), input.message, ...own])
}
