import type { Message, ScriptedCompletion } from '@goals/offline-provider'
import type { TestFn } from 'ava'
import type { DeltaWriter } from '../../lib/events/delta-writer.ts'
import type { Deltas } from '../../lib/events/deltas.ts'
import { countTokens } from '../../lib/models/tokens.ts'
import { createRag } from '../../lib/rag/rag.ts'
import type { ChatInput, ChatResult } from '../../lib/schemas/chat.ts'
import type { JobView } from '../../lib/schemas/job.ts'
import { createJobSpending } from '../../lib/store/money/job-spending.ts'
import { type Checkpoints, createCheckpoints } from '../../workers/agents/checkpoints.ts'
import { loadAgents } from '../../workers/agents/graph.ts'
import type { Plan } from '../../workers/agents/plan.ts'
import type { RunLimits } from '../../workers/agents/run-budget.ts'
import type { Processor } from '../../workers/processor.ts'
import { chatCompletionProcessor } from '../../workers/processors/chat-completion.ts'
import { embeddingGenerationProcessor } from '../../workers/processors/embedding-generation.ts'
import { type AgentStage, createAgentStage } from './agents.ts'
import { contextForFile, newUser, type TestContext } from './context.ts'

export type ChatStage = Awaited<ReturnType<typeof createChatStage>>
export type Told = { run: number; entries: ({ text: string } | 'reset' | 'end')[] }

/** Remembers what is told of running jobs. */
function recordingDeltas(): Deltas & { told: Map<string, Told[]> } {
  const told = new Map<string, Told[]>()
  return {
    told,
    open(jobId, run): DeltaWriter {
      const one: Told = { run, entries: [] }
      told.set(jobId, [...(told.get(jobId) ?? []), one])
      return {
        append: (text) => void one.entries.push({ text }),
        reset: () => void one.entries.push('reset'),
        close: async () => void one.entries.push('end')
      }
    }
  }
}

/** The texts of the last run since its last reset, joined: what a reader has put together. */
export function joined(told: Told[] | undefined): string {
  const entries = told?.at(-1)?.entries ?? []
  const from = entries.lastIndexOf('reset') + 1
  return entries
    .slice(from)
    .map((entry) => (typeof entry === 'object' ? entry.text : ''))
    .join('')
}

/** A person with agents to ask, over a real database and an offline provider of their own. */
export async function createChatStage(
  context: TestContext,
  {
    checkpoints: shared,
    limits = {},
    stage = createAgentStage(context)
  }: { checkpoints?: Checkpoints; limits?: Partial<RunLimits>; stage?: AgentStage } = {}
) {
  const { knex, log, records, threadStore: threads, transaction, ledger, isolation } = context
  const rag = createRag({ knex, access: records.access, models: stage.models, log })
  context.onClose(rag.close)
  const checkpoints =
    shared ?? createCheckpoints({ databaseUrl: isolation.databaseUrl, schema: isolation.schema, knex, log })
  // Waited for with the delivery, so that no test ends before they do.
  const forgotten: Promise<void>[] = []
  const remembering: Checkpoints = {
    ...checkpoints,
    forget(jobId) {
      const done = checkpoints.forget(jobId)
      forgotten.push(done)
      return done
    }
  }
  const deltas = recordingDeltas()
  const processor = (changes: Partial<Parameters<typeof chatCompletionProcessor>[0]> = {}) =>
    chatCompletionProcessor({
      models: stage.models,
      ledger,
      spending: createJobSpending({ knex }),
      rag,
      records,
      threads,
      deltas,
      checkpoints: remembering,
      transaction,
      limits,
      ...changes
    }) as Processor<never>
  const embedding = embeddingGenerationProcessor({
    ...rag,
    models: stage.models,
    events: context.events,
    access: records.access,
    enqueue: context.jobs.enqueueEmbeddings
  }) as Processor<never>
  const userId = await newUser(context)

  return {
    ...stage,
    records,
    userId,
    person: { id: userId, role: 'user' as const },
    processor,
    checkpoints,
    told: (jobId: string) => deltas.told.get(jobId),

    /** Runs the embedding jobs that are waiting, and forgets what they cost. */
    async embedAll(): Promise<void> {
      const mine = { action: 'embedding_generation', status: 'queued', user_id: userId }
      const waiting = await knex('jobs').where(mine).select('id')
      await knex('jobs').where(mine).update({ run_at: knex.fn.now() })
      for (const { id } of waiting) await stage.deliver(id, 'embedding_generation', embedding)
      stage.provider.reset()
    },

    submitChat: (input: Partial<ChatInput> & { message: string }): Promise<string> =>
      stage.submit(userId, 'chat_completion', { agent: 'auto', allowWrites: false, ...input }, input.threadId),

    async deliverChat(id: string, with_ = processor()): Promise<JobView> {
      const job = await stage.deliver(id, 'chat_completion', with_)
      await Promise.all(forgotten.splice(0))
      return job
    },

    /** Scripts what the model plans, and nothing where it is not told. */
    plan(plan: Partial<Plan>, times: number | null = 1): void {
      const content = JSON.stringify({ reads: [], creations: [], changes: [], ...plan })
      stage.provider.script({
        match: (_last, { format }) => format.kind === 'json_schema' && format.name === 'plan',
        content,
        times
      })
    },

    /** Scripts the answer. @returns the messages it is given for, and the names of the tools that are offered with them */
    answer(completion: ScriptedCompletion): { messages: Message[]; tools: string[] } {
      const seen = { messages: [] as Message[], tools: [] as string[] }
      stage.provider.script({
        ...completion,
        match: (_last, { format, messages, tools }) => {
          if (format.kind !== 'text' || isSummary(messages)) return false
          seen.messages = messages
          seen.tools = tools.map(({ name }) => name)
          return true
        }
      })
      return seen
    },

    /** Asks, and waits for the answer. */
    async ask(input: Partial<ChatInput> & { message: string }): Promise<{ job: JobView; result: ChatResult }> {
      const id = await this.submitChat(input)
      const job = await this.deliverChat(id)
      if (job.status !== 'completed') throw new Error(`the chat ended ${job.status}: ${JSON.stringify(job.error)}`)
      return { job, result: job.result as ChatResult }
    }
  }
}

const isSummary = ([first]: Message[]) => first?.text.startsWith('Summarise a conversation') ?? false

/** Parts of a plan, with nothing where it is not told. */
export const planned = {
  read: (read: Partial<Plan['reads'][number]> & Pick<Plan['reads'][number], 'tool'>) => ({
    record: null,
    query: null,
    status: null,
    ...read
  }),
  creation: (creation: Partial<Plan['creations'][number]> & { type: 'goal' | 'task' }) => ({
    titles: [],
    toWrite: 0,
    description: null,
    status: null,
    due: null,
    goal: null,
    ...creation
  }),
  change: (change: Partial<Plan['changes'][number]> & { type: 'goal' | 'task' }) => ({
    id: null,
    record: null,
    title: null,
    description: null,
    status: null,
    due: null,
    goal: null,
    ...change
  })
}

/** A course with documents, and a goal with a task in it, all of one owner. */
export async function createLesson({ records, person }: Pick<ChatStage, 'records' | 'person'>) {
  return await records.run(async (trx) => {
    const course = await records.courses.create(trx, person, {
      title: 'Programming',
      language: 'en',
      visibility: 'private'
    })
    const closures = await records.documents.create(trx, person, {
      courseId: course.id,
      title: 'Closures',
      markdown:
        '# Closures\n\nA closure is a function that remembers the variables of the scope in which it was made. Closures keep these variables alive after the outer function has returned. See https://docs.example.org/closures for more.'
    })
    const recursion = await records.documents.create(trx, person, {
      courseId: course.id,
      title: 'Recursion',
      markdown:
        '# Recursion\n\nRecursion is when a function calls itself. Every recursive function needs a base case that ends the recursion. Without a base case the stack overflows.'
    })
    const goal = await records.goals.create(trx, person, {
      title: 'Understand functions',
      courseId: course.id,
      status: 'active'
    })
    const task = await records.tasks.create(trx, person, {
      goalId: goal.id,
      title: 'Write a counter',
      description: 'Write a function makeCounter that returns a function which counts up by one with each call.',
      status: 'pending'
    })
    return { course, closures, recursion, goal, task }
  })
}

/** One migrated context for a file whose tests each ask agents of their own. */
export function chatForFile(test: TestFn) {
  // Loading them holds everything up for a while, connections that are being made included: first, and alone.
  test.serial.before(async () => {
    await loadAgents()
    countTokens('warm')
  })
  const context = contextForFile(test)
  let checkpoints: Checkpoints | undefined
  test.after.always(() => checkpoints?.close())
  return {
    context,
    stage(options: { limits?: Partial<RunLimits>; checkpoints?: Checkpoints } = {}) {
      const { knex, log, isolation } = context()
      checkpoints ??= createCheckpoints({ databaseUrl: isolation.databaseUrl, schema: isolation.schema, knex, log })
      return createChatStage(context(), { checkpoints, ...options })
    }
  }
}
