import { JobError } from '../../../lib/errors/job-error.ts'
import type { ChatMessage } from '../../../lib/models/client.ts'
import type { AgentName } from '../../../lib/schemas/chat.ts'
import { asData } from '../untrusted-text.ts'
import { languageOf } from '../language.ts'
import { asksForWrites, emptyPlan, type Plan, planInstructions, planSchema, typesOf } from '../plan.ts'
import { nothingUnderstood } from '../report.ts'
import type { ChatState, Node, ToolResult } from '../state.ts'
import { strictJsonSchema, structuredAnswer } from '../structured-answer.ts'
import type { Run } from './run.ts'

/** Enough for a plan, and for a reasoning model to think before it. */
const mostOutputTokens = 1_024
const leastOutputTokens = 24
/** What is shown of a message; one that may ask for changes can be a long list of them. */
const shownChars = { reading: 4_000, writing: 12_000 }
/** Of earlier messages, which only help to understand the last one. */
const mostEarlier = 4
const earlierChars = 500

/** So that the answer claims nothing. */
const notPlanned: ToolResult = {
  tool: 'plan',
  content: JSON.stringify({ error: { code: 'not_done', message: 'it could not be made out what to create or change' } })
}

/**
 * Settles what the run is to do: who answers, what is looked up, and what is created or changed. The model sees the
 * learner's own words alone: no passage, no record, no answer that may quote one. So nothing that others wrote can
 * decide any of it.
 */
export function routeNode({ input, memory, models, purse, today, signal, log }: Run): Node {
  return async (state: ChatState) => {
    const schema = planSchema(input)
    const lookingAt = [input.goalId && 'a goal', input.taskId && 'a task', input.courseId && 'a course']
    const messages: ChatMessage[] = [
      {
        role: 'system',
        content: planInstructions({ ...input, lookingAt: lookingAt.filter((kind) => kind !== undefined), today })
      },
      // Changes are asked for by one message: what an earlier one asked for has been done, or was not allowed.
      ...(input.allowWrites ? [] : earlierWords(memory?.messages ?? [])),
      asUser('message', cut(input.message, input.allowWrites ? shownChars.writing : shownChars.reading))
    ]
    const affordable = await purse.allowTwice(state, { messages, schema: strictJsonSchema(schema) })
    if (affordable < leastOutputTokens) return nothingPlanned()
    try {
      const plan = await structuredAnswer(models.chat, {
        step: 'route',
        name: 'plan',
        schema,
        messages,
        maxOutputTokens: Math.min(mostOutputTokens, affordable),
        signal
      })
      return { plan: settled(plan) }
    } catch (error) {
      // Whoever answers, the learner is answered: a plan that cannot be read is no reason to fail, and changes nothing.
      if (!(error instanceof JobError) || !['invalid_output', 'budget_exhausted'].includes(error.code)) throw error
      log.info({ code: error.code }, 'no plan could be read, the question is answered without one')
      return nothingPlanned()
    }
  }

  function nothingPlanned() {
    const plan = emptyPlan(input.agent === 'auto' ? 'tutor' : input.agent)
    if (!input.allowWrites) return { plan }
    return { plan, results: [notPlanned], report: nothingUnderstood(languageOf(input.message)) }
  }

  /** What the model has no leave to ask for is not in its schema; what is missing there is nothing. */
  function settled({ agent = 'tutor', reads = [], creations = [], changes = [] }: Partial<Plan>): Plan {
    const writes = input.allowWrites ? { creations, changes } : { creations: [], changes: [] }
    return { agent: input.agent === 'auto' ? suited(agent, writes) : input.agent, reads, ...writes }
  }

  /** Changes that the chosen specialist does not make are a planner's. */
  function suited(agent: AgentName, writes: Pick<Plan, 'creations' | 'changes'>): AgentName {
    const types = [...writes.creations, ...writes.changes].map(({ type }) => type)
    return asksForWrites(writes) && types.some((type) => !typesOf(agent).includes(type)) ? 'planner' : agent
  }
}

/** The learner's own latest messages before this one. */
const earlierWords = (before: { role: string; content: string }[]): ChatMessage[] =>
  before
    .filter(({ role }) => role === 'user')
    .slice(-mostEarlier)
    .map(({ content }) => asUser('earlier_message', cut(content, earlierChars)))

const asUser = (tag: string, text: string): ChatMessage => ({ role: 'user', content: asData(tag, text) })

/** Most of it from its beginning, a quarter from its end. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text
  return `${text.slice(0, most * 0.75)}\n[…]\n${text.slice(-most / 4)}`.toWellFormed()
}
