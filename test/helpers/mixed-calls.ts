import { createOfflineProvider, type Fault, type InvoiceLine, seededRandom } from '@goals/offline-provider'
import type { Knex } from 'knex'
import type { Context } from '../../lib/context.ts'
import { JobError } from '../../lib/errors/job-error.ts'
import { createModels, createOpenAi } from '../../lib/models/client.ts'
import { formatUsd, parseUsd } from '../../lib/money.ts'
import { createUsageTracker, type UsageScope } from '../../lib/usage/tracker.ts'
import { newUser } from './context.ts'
import { runningJob } from './running-job.ts'

const faults: Fault[] = [
  { kind: 'status', status: 429, probability: 0.03 },
  { kind: 'status', status: 503, probability: 0.03 },
  { kind: 'status', status: 400, probability: 0.01 },
  { kind: 'reset', probability: 0.01 },
  { kind: 'reset', billed: true, probability: 0.01 },
  { kind: 'hang', billed: true, probability: 0.01 },
  { kind: 'malformed', probability: 0.01 },
  { kind: 'cut', afterChunks: 2, probability: 0.03 },
  { kind: 'cut', afterChunks: 2, withUsage: true, probability: 0.01 },
  { kind: 'no-finish', afterChunks: 3, probability: 0.02 }
].map((fault) => ({ ...fault, times: null }) as Fault)

const attempts = 4

/** The worker died between a call's answer and its settlement. */
class Killed extends Error {}

/**
 * Makes calls of every kind through the model client: chats whole and streamed, embeddings gathered from several jobs,
 * refusals, connections that break or hang, calls that are aborted, and workers that are killed before they can write an
 * answer down; what failed is tried again by a later run of its job.
 * @returns the provider's invoice
 */
export async function makeMixedCalls(
  context: Pick<Context, 'knex' | 'jobStore' | 'ledger' | 'budgets' | 'log'> & {
    config: Pick<Context['config'], 'chatModel' | 'embeddingModel'>
  },
  {
    jobs,
    stepsOfJob = 10,
    atOnce = 25,
    seed = 2026
  }: { jobs: number; stepsOfJob?: number; atOnce?: number; seed?: number }
): Promise<InvoiceLine[]> {
  const { knex, ledger, budgets, log, config } = context
  const random = seededRandom(seed)
  // Calls that hang take this long; others must never, however busy the machine is.
  const timeoutMs = 5_000
  const provider = createOfflineProvider({ faults, seed, tokenMs: 0.05 })
  const tracker = createUsageTracker()
  const takingPart = new Map<string, string[]>()
  const kill = new Map<string, (reason: Killed) => void>()

  const models = createModels({
    openai: createOpenAi({
      apiKey: undefined,
      baseUrl: 'http://offline.invalid/v1',
      timeoutMs,
      fetch: provider.fetch
    }),
    config: { ...config, modelTimeoutMs: timeoutMs },
    tracker,
    budgets,
    // Pauses and the circuit breaker would keep most faults from being met.
    guard: { enter: async () => undefined, leave: async () => undefined, report: async () => undefined },
    dialect: { known: async () => new Set(), helped: async () => undefined },
    log,
    ledger: {
      ...ledger,
      intend: async (call, admit) => {
        takingPart.set(
          call.id,
          call.shares.map(({ scope }) => scope.jobId)
        )
        return await ledger.intend(call, admit)
      },
      settle: async (id, settlement) => {
        if (random() >= 0.02) return await ledger.settle(id, settlement)
        for (const jobId of takingPart.get(id) ?? []) kill.get(jobId)?.(new Killed())
        return await new Promise<never>(() => undefined)
      }
    }
  })

  async function call(scope: UsageScope, step: string, kind: number, signal: AbortSignal): Promise<unknown> {
    return await tracker.runInScope({ ...scope }, async () => {
      if (kind < 0.4) {
        const texts = Array.from({ length: 1 + Math.floor(kind * 8) }, (_, n) => `text ${n} of ${step} ${scope.jobId}`)
        return await models.embed({ step, texts, signal })
      }
      const messages = [{ role: 'user' as const, content: `What is ${step} of ${scope.jobId}, and why?` }]
      const streamed = kind < 0.8 ? { onDelta: () => undefined } : {}
      return await models.chat({ step, messages, signal, maxOutputTokens: 200, ...streamed })
    })
  }

  async function attempt(scope: UsageScope, step: string, kind: number): Promise<boolean> {
    const aborter = new AbortController()
    const killed = new Promise<never>((_, reject) => kill.set(scope.jobId, reject))
    killed.catch(() => undefined)
    const abort = () => aborter.abort(new Error('cancelled'))
    const timer = random() < 0.04 ? setTimeout(abort, random() * 30) : undefined
    try {
      await Promise.race([call(scope, step, kind, aborter.signal), killed])
      return true
    } catch (error) {
      const known = error instanceof JobError || error instanceof Killed || (error as Error).message === 'cancelled'
      if (!known) throw error
      return false
    } finally {
      clearTimeout(timer)
    }
  }

  async function runJob(userId: string): Promise<void> {
    const scope = await runningJob(context, userId)
    for (let n = 0; n < stepsOfJob; n++) {
      const kind = random()
      for (let left = attempts; left > 0 && !(await attempt(scope, `step ${n}`, kind)); left--) {
        // The next attempt is another run, as after a failure or the death of a worker.
        scope.run += 1
        await knex('jobs').where({ id: scope.jobId }).update({ run: scope.run })
      }
    }
  }

  const userId = await newUser(context)
  let started = 0
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (started < jobs) {
        started += 1
        await runJob(userId)
      }
    })
  )
  return provider.invoice()
}

type State = 'settled' | 'estimated' | 'unknown' | 'intended'

/**
 * Compares the whole ledger with an invoice, line by line and to the last digit.
 * @returns what does not agree, in words, and how many requests ended in each state
 */
export async function compareWithInvoice(knex: Knex, lines: InvoiceLine[]) {
  const problems: string[] = []
  const expect = (holds: boolean, id: string | null, what: string) => {
    if (!holds) problems.push(`${id}: ${what}`)
  }
  const calls = await knex('model_calls').select('*')
  const byId = new Map(calls.map((row) => [row.id as string, row]))
  const states: Record<State, number> = { settled: 0, estimated: 0, unknown: 0, intended: 0 }
  const billed = new Set<string | null>()

  for (const line of lines) {
    const id = line.clientRequestId
    expect(!billed.has(id), id, 'is invoiced twice')
    billed.add(id)
    const row = byId.get(id ?? '')
    if (!row) {
      problems.push(`${id}: is not in the ledger`)
      continue
    }
    const state = row.state as State
    states[state] += 1
    expect(parseUsd(line.costUsd) <= BigInt(row.worst_case_pico), id, 'cost more than its worst case')
    if (state === 'settled') {
      const booked = [row.prompt_tokens, row.cached_tokens, row.completion_tokens, row.reasoning_tokens].map(Number)
      const asked = [line.promptTokens, line.cachedTokens, line.completionTokens, line.reasoningTokens]
      expect(booked.join() === asked.join(), id, `has tokens ${booked.join()}, invoiced are ${asked.join()}`)
      const cost = formatUsd(BigInt(row.cost_pico))
      expect(cost === line.costUsd, id, `costs ${cost}, invoiced is ${line.costUsd}`)
      if (row.error !== null) expect(cost === formatUsd(0n), id, 'was refused but is not free')
    } else if (state === 'estimated') {
      const isUnread = row.error === 'provider_malformed' && line.status === 200
      expect(isUnread || (line.stream && (line.cut || line.aborted)), id, 'is estimated although nothing broke off')
      expect(BigInt(row.cost_pico) > 0n, id, 'is estimated at nothing')
    } else expect(BigInt(row.cost_pico) === 0n, id, `is ${state} but has a cost`)
  }
  for (const { id, state, error, cost_pico } of calls) {
    const notSent = error === 'not_sent' && BigInt(cost_pico) === 0n
    if (!billed.has(id))
      expect(notSent || ['unknown', 'intended'].includes(state), id, `is ${state} but was never sent`)
  }

  const { rows: torn } = await knex.raw(
    `select c.id from model_calls c join (
       select call_id, sum(prompt_tokens) as prompt, sum(cached_tokens) as cached, sum(completion_tokens) as completion,
         sum(reasoning_tokens) as reasoning, sum(cost_pico) as cost
       from model_call_shares group by call_id) s on s.call_id = c.id
     where (s.prompt, s.cached, s.completion, s.reasoning, s.cost) is distinct from
       (c.prompt_tokens, c.cached_tokens, c.completion_tokens, c.reasoning_tokens, c.cost_pico)`
  )
  for (const { id } of torn) problems.push(`${id}: parts do not add up to the whole`)
  const { rows: passed } = await knex.raw(
    `select distinct c.id from model_calls c join model_call_shares s on s.call_id = c.id
     join model_call_shares later on later.job_id = s.job_id and later.step = s.step
       and later.input_hash = s.input_hash and later.run > s.run
     where c.state = 'intended'`
  )
  for (const { id } of passed) problems.push(`${id}: is still an intent although a later run asked again`)
  return { problems, states, requests: lines.length, neverSent: calls.length - billed.size }
}
