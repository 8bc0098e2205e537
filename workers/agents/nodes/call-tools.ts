import type { z } from 'zod'
import { AppError } from '../../../lib/errors.ts'
import { JobError } from '../../../lib/jobs/job-error.ts'
import type { ChatMessage, ToolCall } from '../../../lib/models/client.ts'
import { addHits, passages } from '../hits.ts'
import { isBudgetExhausted } from '../purse.ts'
import type { ChatState, Node, Step } from '../state.ts'
import type { AgentTool, ToolOutcome } from '../tools/tool.ts'
import type { Run } from './run.ts'

const mostCalls = 16
const maxResultChars = 24_000

type Progress = Pick<ChatState, 'hits' | 'staged'>
type Result = Progress & { content: string }

/**
 * Carries out the calls of an answer, one after another and each once. What is wrong with a call is told to the model;
 * what is wrong with us ends the attempt.
 */
export function toolsNode(run: Run): Node {
  const { person, toolset, purse, signal, log } = run
  return async (state) => {
    let progress: Progress = { hits: state.hits, staged: state.staged }
    const messages: ChatMessage[] = []
    const steps: Step[] = []
    for (const [at, call] of state.calls.entries()) {
      signal.throwIfAborted()
      const startedAt = performance.now()
      const { content, ...next } =
        at < mostCalls ? await carryOut(state, progress, call, at) : refused(progress, tooMany)
      progress = next
      messages.push({ role: 'tool', tool_call_id: call.id, content: content.slice(0, maxResultChars).toWellFormed() })
      steps.push({ node: 'tools', tool: call.name.slice(0, 64), tookMs: Math.round(performance.now() - startedAt) })
    }
    return {
      ...progress,
      calls: [],
      messages: [...state.messages, ...messages],
      steps: [...state.steps, ...steps]
    }
  }

  async function carryOut(state: ChatState, progress: Progress, call: ToolCall, at: number): Promise<Result> {
    const tool = toolset.find(state.agent ?? 'tutor', state.mayWrite, call.name)
    if (!tool)
      return refused(progress, { code: 'unknown_tool', message: `there is no tool "${call.name.slice(0, 64)}"` })
    const args = readArguments(tool, call.arguments)
    if (!args.ok) return refused(progress, args.error)
    const limit = tool.searches && (await purse.searchLimit(state, tool.searches(args.value)))
    if (limit) return refused(progress, { code: 'limit', message: `the limit of this answer (${limit}) is reached` })
    try {
      const step = `tools:${state.rounds}:${at}`
      const outcome = await tool.run(args.value as never, { person, step, signal, staged: progress.staged })
      return take(progress, outcome, `${state.rounds}:${call.id}`)
    } catch (error) {
      const problem = problemOf(error)
      if (!problem) throw error
      log.info({ tool: tool.name, code: problem.code }, 'a tool call could not be carried out')
      return refused(progress, problem)
    }
  }
}

function take({ hits, staged }: Progress, outcome: ToolOutcome, key: string): Result {
  if (outcome.kind === 'staged') {
    const known = staged.some((write) => write.key === key)
    return {
      hits,
      staged: known ? staged : [...staged, { ...outcome.write, key }],
      content: JSON.stringify(outcome.tell)
    }
  }
  const added = addHits(hits, outcome.found)
  if (outcome.kind === 'found') {
    return { hits: added.hits, staged, content: passages(added.numbered) || 'Nothing was found.' }
  }
  const numbers = outcome.found.map((one) => addHits(added.hits, [one]).numbered[0]?.n as number)
  return { hits: added.hits, staged, content: JSON.stringify(outcome.tell(numbers)) }
}

type Problem = { code: string; message: string; errors?: { path: string; message: string }[] }

const tooMany: Problem = { code: 'too_many_calls', message: `at most ${mostCalls} calls at once` }

const refused = (progress: Progress, error: Problem): Result => ({ ...progress, content: JSON.stringify({ error }) })

function readArguments(tool: AgentTool, text: string): { ok: true; value: unknown } | { ok: false; error: Problem } {
  let value: unknown
  try {
    value = JSON.parse(text || '{}')
  } catch {
    return { ok: false, error: { code: 'invalid_arguments', message: 'the arguments are not valid JSON' } }
  }
  const parsed: z.ZodSafeParseResult<unknown> = tool.schema.safeParse(value)
  if (parsed.success) return { ok: true, value: parsed.data }
  const errors = parsed.error.issues.slice(0, 10).map(({ path, message }) => ({ path: path.join('.'), message }))
  return { ok: false, error: { code: 'invalid_arguments', message: 'the arguments do not fit the tool', errors } }
}

/** What the model may be told; `undefined` for what is not the call's fault. */
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
