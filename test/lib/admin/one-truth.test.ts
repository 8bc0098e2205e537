import { type Fault, seededRandom } from '@goals/offline-provider'
import test from 'ava'
import { JobError } from '../../../lib/errors/job-error.ts'
import { countTokens } from '../../../lib/models/tokens.ts'
import { createStatistics } from '../../../lib/store/audit/statistics.ts'
import { createUsageStore } from '../../../lib/store/money/usage.ts'
import { formatUsd, parseUsd } from '../../../lib/money.ts'
import type { UsageScope } from '../../../lib/usage/tracker.ts'
import { contextForFile, newUser } from '../../helpers/context.ts'
import { offlineModels, runningJob } from '../../helpers/models.ts'
import { rollUpsOver } from '../../helpers/roll-ups.ts'

const context = contextForFile(test)

// Loading the tokenizer takes a while, in which no transaction may be left waiting.
test.before(() => void countTokens('ready'))

type Used = { promptTokens: number; completionTokens: number; costUsd: string }

/** Tokens and cost in words of one form, however many parts they came in. */
function total(parts: Used[]): string {
  const [prompt, completion] = [0, 0].map((_, at) =>
    parts.reduce((sum, part) => sum + (at === 0 ? part.promptTokens : part.completionTokens), 0)
  )
  const cost = parts.reduce((sum, { costUsd }) => sum + parseUsd(costUsd), 0n)
  return `${prompt} + ${completion} tokens, ${formatUsd(cost)} USD`
}

const faults: Fault[] = [
  { kind: 'status', status: 503, probability: 0.1, times: null },
  { kind: 'cut', afterChunks: 2, probability: 0.1, times: null },
  { kind: 'reset', billed: true, probability: 0.05, times: null },
  { kind: 'malformed', probability: 0.05, times: null }
]

/** Whatever was done, every place that tells tokens and money tells the ledger's. */
test('all figures of tokens and money agree after any mixture of work', async (t) => {
  const { knex, jobStore, lifecycle, transaction, records, budgetStore } = context()
  const random = seededRandom(9)
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T
  const figures = createStatistics({ knex })
  const usage = createUsageStore({ knex })
  const rollUps = rollUpsOver(knex)
  const { tracker, models } = offlineModels(context(), {
    provider: { faults, seed: 9, tokenMs: 0 },
    gatherMs: 5,
    providerLimits: {}
  })
  const users = await Promise.all(Array.from({ length: 4 }, () => newUser(context())))
  for (const userId of users) await budgetStore.setBudget(userId, { dailyPico: parseUsd(50), monthlyPico: null })

  /** What the platform does by itself: a record's embedding, without a request and without an audit. */
  async function recordToEmbed(userId: string, n: number): Promise<UsageScope> {
    const goals = [{ title: `goal ${n}`, description: 'What is learnt, and why. '.repeat(1 + (n % 5)) }]
    await transaction.transact((trx) =>
      records.bulk.create(trx, { id: userId, role: 'user' }, [...records.bulk.check({ goals })])
    )
    const goal = await knex('goals')
      .where({ user_id: userId, title: `goal ${n}` })
      .first('id')
    const { id: jobId } = await knex('jobs').where({ source_id: goal.id }).first('id')
    await knex('jobs')
      .where({ id: jobId })
      .update({ run_at: knex.raw(`now() - interval '1 s'`) })
    const started = await lifecycle.start(jobId, 'worker')
    if (started.kind !== 'started') throw new Error(`the embedding job was ${started.kind}`)
    return { jobId, userId, action: 'embedding_generation', run: started.job.run }
  }

  async function work(scope: UsageScope): Promise<void> {
    for (let n = Math.floor(random() * 3); n >= 0; n--) {
      const texts = [`text ${n} of ${scope.jobId}`, 'a second one']
      const call = { step: `step ${n}`, signal: new AbortController().signal }
      const isEmbedding = scope.action === 'embedding_generation' || random() < 0.3
      const messages = [{ role: 'user' as const, content: `What is step ${n} of ${scope.jobId}?` }]
      const streamed = random() < 0.5 ? { onDelta: () => undefined } : {}
      try {
        await tracker.runInScope(scope, async () => {
          if (isEmbedding) await models.embed({ ...call, texts })
          else await models.chat({ ...call, messages, maxOutputTokens: 100, ...streamed })
        })
      } catch (error) {
        if (!(error instanceof JobError)) throw error
      }
    }
  }

  async function end({ jobId: id, run }: UsageScope): Promise<void> {
    const how = pick(['complete', 'complete', 'fail', 'cancel', 'leave'])
    const error = new JobError('internal_error', 'it failed', { retryable: false })
    if (how === 'complete') await lifecycle.complete(id, run, async () => ({ done: true }), null)
    if (how === 'fail') await lifecycle.fail({ id, run, attempts: 1, maxAttempts: 1 }, error, null)
    if (how === 'cancel') await lifecycle.cancelOpen(id, 'cancelled by a test')
  }

  async function agree(when: string): Promise<void> {
    const range = { from: new Date(Date.now() - 30 * 86_400_000), to: new Date(Date.now() + 1_000) }
    const everybody = await figures.statistics(range, 'hour', undefined)
    const top = await figures.topConsumers(range, 'cost', 100)
    const perUser: Used[] = []
    for (const userId of users) {
      const views = await jobStore.list({ userId, limit: 100 })
      const ofJobs = total(views.map(({ usage }) => usage))
      const own = await figures.statistics(range, 'hour', userId)
      perUser.push(own.totals)
      const { month } = await usage.of(userId)
      const ofUsage = total([{ ...month, costUsd: formatUsd(month.costPico) }])
      t.is(ofUsage, ofJobs, `${when}: users/me/usage and jobs`)
      t.is(total([own.totals]), ofJobs, `${when}: statistics of a user and jobs`)
      t.is(total(own.byModel), ofJobs, `${when}: byModel of a user and jobs`)
      t.is(total(own.byAction), ofJobs, `${when}: byAction of a user and jobs`)
      const row = top.find((consumer) => consumer.userId === userId)
      t.is(row?.costUsd, own.totals.costUsd, `${when}: top consumers and jobs`)
      t.is(row?.totalTokens, own.totals.totalTokens, `${when}: top consumers and jobs`)

      const audited = await knex('rate_limit_audits').where({ user_id: userId }).sum('cost_pico as cost').first()
      const byRequests = await knex('model_call_shares as s')
        .join('jobs as j', 'j.id', 's.job_id')
        .where({ 's.user_id': userId, 'j.origin': 'user' })
        .whereNotNull('j.finished_at')
        .sum('s.cost_pico as cost')
        .first()
      t.is(BigInt(audited?.cost ?? 0), BigInt(byRequests?.cost ?? 0), `${when}: audits and what requests cost`)

      // A budget holds what nobody knows at its worst case, and what may still be spent.
      const { rows } = await knex.raw(
        `select coalesce(sum(case when c.state in ('settled', 'estimated') then s.cost_pico else s.worst_case_pico end)
                  filter (where j.finished_at is not null), 0)::text as held,
           (select coalesce(sum(reserved_pico), 0)::text from jobs where user_id = :userId) as reserved
         from model_call_shares s join model_calls c on c.id = s.call_id join jobs j on j.id = s.job_id
         where s.user_id = :userId`,
        { userId }
      )
      const { monthPico } = await budgetStore.usedBy(userId)
      t.is(monthPico, BigInt(rows[0].held) + BigInt(rows[0].reserved), `${when}: budget and ledger`)
    }
    t.is(total([everybody.totals]), total(perUser), `${when}: statistics of everybody and of each`)
    t.is(total(everybody.byModel), total(perUser), `${when}: byModel of everybody`)
    t.is(total(everybody.byAction), total(perUser), `${when}: byAction of everybody`)
    const cost = everybody.timeline.reduce((sum, { costUsd }) => sum + parseUsd(costUsd), 0n)
    t.is(formatUsd(cost), everybody.totals.costUsd, `${when}: the timeline`)
    const ranks = top.map(({ costUsd }) => Number(costUsd))
    t.deepEqual(
      ranks,
      ranks.toSorted((a, b) => b - a)
    )
  }

  const inputs = {
    chat_completion: { message: 'x' },
    embedding_generation: { input: 'x' },
    code_validation: { language: 'python', source: 'x' },
    rag_search: { tool: 'knowledge_base', query: 'x' }
  }
  for (let round = 0; round < 3; round++) {
    let left = 24
    const atOnce = Array.from({ length: 6 }, async () => {
      while (left > 0) {
        const n = left--
        const userId = pick(users)
        const action = pick(['chat_completion', 'embedding_generation', 'code_validation', 'rag_search'] as const)
        const decision = { id: crypto.randomUUID(), at: new Date() }
        const scope =
          random() < 0.3
            ? await recordToEmbed(userId, round * 100 + n)
            : await runningJob(context(), {
                userId,
                action,
                input: inputs[action],
                decision
              })
        await work(scope)
        await end(scope)
      }
    })
    await Promise.all(atOnce)
    await agree(`round ${round}`)
    if (round === 1) while (await rollUps.fold(20));
    await agree(`round ${round}, rolled up`)
  }
  const system = await knex('model_call_shares as s')
    .join('jobs as j', 'j.id', 's.job_id')
    .where('j.origin', 'system')
    .sum('s.cost_pico as cost')
    .first()
  t.true(BigInt(system?.cost ?? 0) > 0n, 'records were embedded at somebody’s cost')
})
