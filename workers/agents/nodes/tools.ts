import type { z } from 'zod'
import { AppError } from '../../../lib/errors/app-error.ts'
import { JobError } from '../../../lib/errors/job-error.ts'
import { answerMessages } from '../answer-request.ts'
import { addHits } from '../hits.ts'
import type { PlannedRead } from '../plan.ts'
import { isBudgetExhausted } from '../run-budget.ts'
import type { ChatState, Limit, Node, Step } from '../state.ts'
import { argumentsOf } from '../tools/arguments.ts'
import type { AgentTool, ToolOutcome } from '../tools/tool.ts'
import type { Run } from './run.ts'

/** Characters of a query that are searched for. */
const queryChars = 2_000
const maxResultChars = 24_000
/** What has to be left for the answer after a look-up. */
const leastAnswerTokens = 256

type Progress = Pick<ChatState, 'hits'> & { content: string }
type Problem = { code: string; message: string; errors?: { path: string; message: string }[] }

/**
 * Looks up what the plan names, one after another. What is wrong with a look-up is told to the model; what is wrong
 * with us ends the attempt. What is found goes to the answer alone: no look-up depends on what another one found.
 */
export function toolsNode(run: Run): Node {
  const { input, person, toolset, references, purse, signal, log } = run
  return async (before) => {
    const plan = before.plan
    let state = before
    const steps: Step[] = []
    let limitReached: Limit | null = state.limitReached
    const reads = distinct(plan?.reads ?? [])
    const most = purse.readsLeft(state)
    for (const [at, read] of reads.slice(0, most).entries()) {
      signal.throwIfAborted()
      const startedAt = performance.now()
      const { hits, content } = await carryOut(state, read, at)
      const next = { ...state, hits, results: [...state.results, { tool: read.tool, content: bounded(content) }] }
      steps.push({ node: 'tools', tool: read.tool, tookMs: Math.round(performance.now() - startedAt) })
      const limit = await purse.lacks(next, answerMessages(next, input.message), leastAnswerTokens)
      if (limit) {
        limitReached = limit
        break
      }
      state = next
    }
    if (reads.length > most) limitReached = 'steps'
    return { hits: state.hits, results: state.results, limitReached, steps: [...state.steps, ...steps] }
  }

  async function carryOut(state: ChatState, read: PlannedRead, at: number): Promise<Progress> {
    const { hits } = state
    const tool = toolset.find(state.plan?.agent ?? 'tutor', read.tool)
    if (!tool) return refused(hits, { code: 'unknown_tool', message: 'this agent does not look that up' })
    const query = (read.query ?? input.message).slice(0, queryChars).toWellFormed()
    const meant = await argumentsOf(read, { input, query, references })
    if (!meant.ok) return refused(hits, { code: 'not_found', message: meant.message })
    const args = parsed(tool, meant.value)
    if (!args.ok) return refused(hits, args.error)
    const limit = tool.searches && (await purse.searchLimit(state, tool.searches(args.value)))
    if (limit) return refused(hits, { code: 'limit', message: `the limit of this answer (${limit}) is reached` })
    try {
      return take(hits, await tool.run(args.value as never, { person, step: `tools:${at}`, signal }))
    } catch (error) {
      const problem = problemOf(error)
      if (!problem) throw error
      log.info({ tool: tool.name, code: problem.code }, 'something could not be looked up')
      return refused(hits, problem)
    }
  }
}

/** The same is looked up once. */
const distinct = (reads: PlannedRead[]) =>
  reads.filter((read, at) => reads.findIndex((other) => JSON.stringify(other) === JSON.stringify(read)) === at)

const bounded = (content: string) => content.slice(0, maxResultChars).toWellFormed()

function take(hits: ChatState['hits'], outcome: ToolOutcome): Progress {
  const added = addHits(hits, outcome.found)
  if (outcome.kind === 'found') {
    const numbers = added.numbered.map(({ n }) => `[${n}]`).join(', ')
    return { hits: added.hits, content: numbers ? `Found: passages ${numbers}.` : 'Nothing was found.' }
  }
  const numbers = outcome.found.map((one) => addHits(added.hits, [one]).numbered[0]?.n as number)
  return { hits: added.hits, content: JSON.stringify(outcome.tell(numbers)) }
}

const refused = (hits: ChatState['hits'], error: Problem): Progress => ({ hits, content: JSON.stringify({ error }) })

function parsed(tool: AgentTool, value: unknown): { ok: true; value: unknown } | { ok: false; error: Problem } {
  const read: z.ZodSafeParseResult<unknown> = tool.schema.safeParse(value)
  if (read.success) return { ok: true, value: read.data }
  const errors = read.error.issues.slice(0, 10).map(({ path, message }) => ({ path: path.join('.'), message }))
  return { ok: false, error: { code: 'invalid_arguments', message: 'it cannot be looked up like that', errors } }
}

/** What the model may be told; `undefined` for what is not the look-up's fault. */
function problemOf(error: unknown): Problem | undefined {
  if (error instanceof AppError && error.status < 500) {
    return { code: error.code, message: error.message, ...(error.extras.errors ? { errors: error.extras.errors } : {}) }
  }
  if (error instanceof JobError && ['not_found', 'invalid_input'].includes(error.code)) {
    return { code: error.code, message: error.message }
  }
  if (isBudgetExhausted(error)) return { code: 'limit', message: 'the budget of the user is used up' }
  return undefined
}
