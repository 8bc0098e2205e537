import test from 'ava'
import { newId } from '../../../lib/ids.ts'
import { costOf, noTokens } from '../../../lib/money.ts'
import type { StartedJob } from '../../../lib/store/jobs/runs.ts'
import { contextForFile, newUser } from '../../helpers/context.ts'

const context = contextForFile(test)

const worker = 'worker of grouped moves'

async function admitted(userId: string, count: number): Promise<string[]> {
  const admissions = Array.from({ length: count }, () =>
    context().jobs.admit({
      actor: { id: userId },
      action: 'embedding_generation',
      input: { input: 'one text' },
      decision: { id: newId(), at: new Date() }
    })
  )
  return (await Promise.all(admissions)).map(({ job }) => job.id)
}

const start = async (ids: string[]) => await Promise.all(ids.map((id) => context().lifecycle.start(id, worker)))

async function started(ids: string[]): Promise<StartedJob[]> {
  const starts = await start(ids)
  return starts.map((each) => {
    if (each.kind !== 'started') throw new Error(`a job could not be started: ${each.kind}`)
    return each.job
  })
}

/** A call of a job that was made and paid for. */
async function pay({ id, userId, run }: StartedJob, promptTokens: number): Promise<bigint> {
  const { ledger } = context()
  const model = context().config.embeddingModel
  const priced = await ledger.priceOf(model)
  if (!priced) throw new Error('the model has no price')
  const callId = newId()
  const usage = { ...noTokens, promptTokens }
  const costPico = costOf(usage, priced.price)
  const scope = { jobId: id, userId, action: 'embedding_generation' as const, run }
  await ledger.intend({
    id: callId,
    kind: 'embedding',
    model,
    priceId: priced.priceId,
    shares: [{ scope, step: 'embed', inputHash: 'a hash', worstCasePico: costPico }]
  })
  await ledger.settle(callId, {
    state: 'settled',
    usage,
    costPico,
    latencyMs: 1,
    shares: [{ usage, costPico, response: ['an answer'] }]
  })
  return costPico
}

test('jobs that start together each begin a run, with one event; what cannot start at once says why', async (t) => {
  const { knex, lifecycle } = context()
  const userId = await newUser(context())
  const ids = await admitted(userId, 12)
  const [late, cancelled, taken, ...due] = ids as [string, string, string, ...string[]]
  await knex('jobs')
    .where({ id: late })
    .update({ run_at: knex.raw(`now() + interval '1 hour'`) })
  await lifecycle.cancelOpen(cancelled, 'by its owner')
  await started([taken])

  const starts = await start(ids)
  t.is(starts[0]?.kind, 'later')
  t.is(starts[1]?.kind, 'over')
  t.true(starts.slice(3).every(({ kind }) => kind === 'started'))
  const events = await knex('events').where({ user_id: userId, type: 'job.started.embedding_generation' })
  t.deepEqual(events.map(({ subject }) => subject as string).toSorted(), [taken, ...due].toSorted())
  for (const { data } of events) t.like(data, { status: 'active', attempts: 1, result: null })
})

test('jobs that end together each have their result, event, audit, attempt and money, and the overtaken have none', async (t) => {
  const { knex, lifecycle, budgetStore } = context()
  const users = await Promise.all([newUser(context()), newUser(context()), newUser(context())])
  await budgetStore.setBudget(users[0] as string, { dailyPico: 10n ** 12n, monthlyPico: 10n ** 13n })
  const ids = (await Promise.all(users.map((userId) => admitted(userId, 9)))).flat()
  const jobs = await started(ids)
  const paid = new Map<string, bigint>()
  for (const [index, job] of jobs.entries()) paid.set(job.id, await pay(job, 10 + index))
  const overtaken = new Set([ids[1], ids[12]])
  for (const id of overtaken) {
    await knex('jobs').where({ id }).update({ run: 2 })
    const now = knex.fn.now()
    const crashed = { attempt: 1, worker, started_at: now, ended_at: now, outcome: 'crashed' }
    await knex('job_attempts').insert({ job_id: id, run: 1, ...crashed, next_at: now, wait_reason: 'worker' })
  }

  const result = (index: number) => ({ model: 'm', dimensions: 2, embeddings: [[index, 0.5]], reused: 0 })
  const ends = await Promise.all(
    jobs.map(({ id, run }, index) => lifecycle.complete(id, run, { result: result(index) }, { done: 1, total: 1 }))
  )
  t.deepEqual(
    ends,
    ids.map((id) => !overtaken.has(id))
  )
  for (const [index, { id, userId }] of jobs.entries()) {
    const view = await context().jobStore.find(id)
    const events = await context().eventStore.list({ userId, subject: id, limit: 10 })
    const completed = events.filter(({ type }) => type === 'job.completed.embedding_generation')
    const attempts = await context().jobStore.attemptsOf(id)
    if (overtaken.has(id)) {
      t.is(view?.status, 'active')
      t.is(completed.length, 0)
      t.like(attempts?.[0], { run: 1, outcome: 'overtaken' })
      continue
    }
    t.like(view, { status: 'completed', result: result(index), progress: { done: 1, total: 1 } })
    t.is(view?.usage.promptTokens, 10 + index)
    // The event shows the job as it is read by its id, result and usage included.
    t.deepEqual(completed[0]?.data, view)
    t.is(completed.length, 1)
    t.like(attempts?.[0], { outcome: 'completed', worker })
    const audits = await knex('rate_limit_audits').where({ job_id: id })
    t.like(audits[0], { prompt_tokens: String(10 + index), cost_pico: String(paid.get(id)), outcome: 'allowed' })
    const shares = await knex('model_call_shares').where({ job_id: id })
    t.like(shares[0], { response: null, counted_pico: String(paid.get(id)) })
  }
  for (const userId of users) {
    const ended = jobs.filter((job) => job.userId === userId && !overtaken.has(job.id))
    const spent = ended.reduce((sum, { id }) => sum + (paid.get(id) as bigint), 0n)
    const rows = await knex('budget_usage').where({ user_id: userId })
    t.deepEqual(
      rows.map((row) => BigInt(row.spent_pico)),
      [spent, spent]
    )
    const open = await knex('jobs').where({ user_id: userId, status: 'active' }).sum('reserved_pico as pico')
    for (const row of rows) t.is(BigInt(row.reserved_pico), BigInt((open[0] as { pico: string }).pico ?? 0))
  }
})

test('a job whose result cannot be stored fails alone, and those that ended with it are done', async (t) => {
  const { lifecycle } = context()
  const userId = await newUser(context())
  const jobs = await started(await admitted(userId, 6))
  const ends = await Promise.allSettled(
    jobs.map(({ id, run }, index) =>
      lifecycle.complete(id, run, { result: { text: index === 2 ? 'half a character: \ud800' : 'fine' } }, null)
    )
  )
  t.deepEqual(
    ends.map(({ status }) => status),
    jobs.map((_, index) => (index === 2 ? 'rejected' : 'fulfilled'))
  )
  for (const [index, { id }] of jobs.entries()) {
    t.is((await context().jobStore.find(id))?.status, index === 2 ? 'active' : 'completed')
  }
})
