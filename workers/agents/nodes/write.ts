import { JobError } from '../../../lib/errors/job-error.ts'
import { createAnswerFilter } from '../answer-filter.ts'
import { answerMessages } from '../answer-request.ts'
import { languageOf } from '../language.ts'
import { emptyPlan } from '../plan.ts'
import { boundedTexts, proposalMessages, proposalSchema, type Proposals, wantedTexts } from '../proposals.ts'
import { reportOf } from '../report.ts'
import { settleWrites } from '../settle-writes.ts'
import type { ChatState, Node } from '../state.ts'
import { strictJsonSchema, structuredAnswer } from '../structured-answer.ts'
import { linkableIn } from './respond.ts'
import type { Run } from './run.ts'

const mostOutputTokens = 2_048
const leastOutputTokens = 64

/**
 * Settles the changes that the plan asks for. The plan decides which, how many and of what kind; a model that reads the
 * material may give new records their texts, and has no part in anything else. Nothing is written yet: it is kept, and
 * committed with the run's end, so that a run that is resumed, cancelled or fails does not leave half of what it meant.
 */
export function writeNode(run: Run): Node {
  const { input, person, models, purse, references, access, signal, log } = run
  return async (state) => {
    const startedAt = performance.now()
    const plan = state.plan ?? emptyPlan('tutor')
    const { texts, ...limit } = await proposals(state)
    const { staged, results, outcomes } = await settleWrites({
      plan,
      proposals: texts,
      person,
      input,
      references,
      access
    })
    const tookMs = Math.round(performance.now() - startedAt)
    return {
      ...limit,
      staged,
      report: reportOf(outcomes, languageOf(input.message)),
      results: [...state.results, ...results],
      steps: [
        ...state.steps,
        ...results.map(({ tool }, at) => ({ node: 'write', tool, tookMs: at === 0 ? tookMs : 0 }))
      ]
    }
  }

  async function proposals(state: ChatState): Promise<{ texts: Proposals } & Partial<Pick<ChatState, 'limitReached'>>> {
    const none: Proposals = { goal: [], task: [] }
    const creations = state.plan?.creations ?? []
    const wanted = wantedTexts(creations)
    if (wanted.goal + wanted.task === 0) return { texts: none }
    const schema = proposalSchema(wanted)
    const messages = proposalMessages(creations, wanted, answerMessages(state, input.message))
    const affordable = await purse.allowTwice(state, { messages, schema: strictJsonSchema(schema) })
    if (affordable < leastOutputTokens) return { texts: none, limitReached: state.limitReached ?? 'tokens' }
    try {
      const proposed = await structuredAnswer(models.chat, {
        step: 'propose',
        name: 'proposal',
        schema,
        messages,
        maxOutputTokens: Math.min(mostOutputTokens, affordable),
        signal
      })
      const linkable = linkableIn(run, state)
      const filterOf = () => createAnswerFilter({ citable: () => false, linkable })
      return { texts: boundedTexts(proposed, wanted, filterOf) }
    } catch (error) {
      // What cannot be read creates nothing, and the answer says so.
      if (!(error instanceof JobError) || !['invalid_output', 'budget_exhausted'].includes(error.code)) throw error
      log.info({ code: error.code }, 'no texts for new records could be made')
      return { texts: none }
    }
  }
}
