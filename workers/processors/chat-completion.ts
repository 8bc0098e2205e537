import type { Deltas } from '../../lib/events/deltas.ts'
import { timeOf } from '../../lib/ids.ts'
import { JobError } from '../../lib/errors/job-error.ts'
import type { Models } from '../../lib/models/client.ts'
import type { Scopes } from '../../lib/access/scope.ts'
import type { RagTools } from '../../lib/rag/tools.ts'
import type { Records } from '../../lib/records/records.ts'
import type { ChatInput, ChatResult } from '../../lib/schemas/chat.ts'
import type { AgentTurn, AgentTurnResult } from '../../lib/schemas/wire-chat.ts'
import type { createJobSpending } from '../../lib/store/money/job-spending.ts'
import type { EmbeddingStore } from '../../lib/store/search/embeddings.ts'
import type { Ledger } from '../../lib/store/money/ledger.ts'
import type { Memory, ThreadStore } from '../../lib/store/records/threads.ts'
import type { Transaction } from '../../lib/store/transaction.ts'
import { titleOf } from '../../lib/threads/title.ts'
import { parseUsd, type TokenPrice } from '../../lib/money.ts'
import { createAnswerStream } from '../agents/answer-stream.ts'
import type { Checkpoints } from '../agents/checkpoints.ts'
import { createPrefetch } from '../agents/prefetch.ts'
import { createRunBudget, defaultLimits, type RunLimits } from '../agents/run-budget.ts'
import { createReferences } from '../agents/references.ts'
import { runGraph } from '../agents/run-graph.ts'
import type { ChatState } from '../agents/state.ts'
import { goalTools, snapshotTools } from '../agents/tools/record-tools.ts'
import { searchTools } from '../agents/tools/search-tools.ts'
import { createToolset } from '../agents/tools/toolset.ts'
import { createWrites } from '../agents/writes.ts'
import type { Processor } from '../processor.ts'

type Needs = {
  models: Pick<Models, 'chat' | 'chatModel' | 'embeddingModel'>
  ledger: Pick<Ledger, 'priceOf'>
  spending: ReturnType<typeof createJobSpending>
  rag: { tools: RagTools; scopes: Pick<Scopes, 'forRun'>; embeddings: Pick<EmbeddingStore, 'chunksOf'> }
  records: Pick<Records, 'goals' | 'tasks' | 'codeSnapshots' | 'access' | 'naming' | 'jobChanges'>
  threads: ThreadStore
  deltas: Deltas
  checkpoints: Checkpoints
  transaction: Pick<Transaction, 'afterCommit'>
  /** of runs whose request sets none */
  limits?: Partial<RunLimits>
}

/** A chat in a thread of the platform's, or one whose caller brings along what was said before: that is kept nowhere. */
type Input = ChatInput | AgentTurn
type Result = ChatResult | AgentTurnResult

const free: TokenPrice = { input: 0n, cachedInput: 0n, output: 0n }

/**
 * Answers a message with an agent. What the message asks to change, and the turn in its thread, are
 * written with the job's end.
 * Safe to run twice: a run that was cut off goes on from its last step, and what was paid for is not paid again.
 */
export function chatCompletionProcessor(needs: Needs): Processor<Input, Result> {
  const { models, ledger, spending, rag, records, threads, deltas, checkpoints, transaction } = needs
  const toolset = createToolset({
    search: searchTools({ rag: rag.tools, scopes: rag.scopes }),
    goals: goalTools(records),
    snapshots: snapshotTools(records)
  })
  const applyWrites = createWrites(records)
  const beginningOf = async (id: string) =>
    (await rag.embeddings.chunksOf({ type: 'document', id }, models.embeddingModel))[0]?.content

  return async ({ id, user: person, input: asked, run: runNumber, threadId: jobThreadId, signal, log, partial }) => {
    const brought = 'history' in asked ? asked : undefined
    const input: ChatInput = 'history' in asked ? inputOf(asked) : asked
    // A new thread has the id of the job that begins it, whichever run of it comes to an end.
    const threadId = input.threadId ?? jobThreadId ?? id
    const memory = brought ? broughtMemory(brought) : await threads.memory(person.id, threadId)
    if (!memory && threadId !== id) {
      throw new JobError('not_found', 'the thread was deleted', { retryable: false })
    }
    const [chatPrice, embeddingPrice] = [
      await ledger.priceOf(models.chatModel),
      await ledger.priceOf(models.embeddingModel)
    ]
    const purse = createRunBudget({
      limits: {
        ...defaultLimits,
        ...needs.limits,
        outputTokens: input.maxOutputTokens,
        costPico: input.maxCostUsd === undefined ? undefined : parseUsd(input.maxCostUsd)
      },
      // A model without a price is refused when it is called.
      prices: { chat: chatPrice?.price ?? free, embedding: embeddingPrice?.price ?? free },
      spendingOf: () => spending.of(id)
    })
    const writer = deltas.open(id, runNumber)
    let state: ChatState
    try {
      state = await runGraph({
        jobId: id,
        saver: await checkpoints.saver(),
        run: {
          person,
          input,
          memory,
          models,
          toolset,
          purse,
          findFirst: createPrefetch({ person, input, rag: rag.tools, scopes: rag.scopes, records, beginningOf }),
          references: createReferences({ person, input, access: records.access, naming: records.naming }),
          access: records.access,
          today: timeOf(id).toISOString().slice(0, 10),
          stream: createAnswerStream({ deltas: writer, partial }),
          signal,
          log
        }
      })
    } finally {
      await writer.close()
    }
    return async (trx) => {
      const changes = await applyWrites(trx, id, person, state.staged)
      transaction.afterCommit(trx, `checkpoints ${id}`, () => checkpoints.forget(id))
      const answer = answerOf(models.chatModel, changes, state)
      if (brought) return answer
      const kept = await threads.append(trx, {
        threadId,
        userId: person.id,
        jobId: id,
        title: titleOf(input.message),
        messages: [{ role: 'user', content: input.message }, answer.message],
        summary: state.summary ?? undefined
      })
      if (!kept) log.info('the thread was deleted meanwhile, the turn is not kept')
      return { threadId, ...answer }
    }
  }
}

function answerOf(
  model: string,
  changes: ChatResult['changes'],
  { plan, answer, steps, limitReached }: ChatState
): AgentTurnResult {
  if (!plan || !answer) throw new Error('the graph ended without an answer')
  return { agent: plan.agent, model, ...answer, changes, steps, limitReached }
}

/** An agent that is asked as a model may change nothing: there is no parameter by which that could be allowed. */
const inputOf = ({ agent, message, maxOutputTokens }: AgentTurn): ChatInput => ({
  agent,
  message,
  maxOutputTokens,
  allowWrites: false
})

function broughtMemory({ history }: AgentTurn): Memory | undefined {
  if (history.length === 0) return undefined
  const messages = history.map((said, at) => ({ ordinal: at + 1, ...said }))
  return { summary: null, summarisedThrough: 0, messages }
}
