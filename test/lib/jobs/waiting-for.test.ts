import test from 'ava'
import type { Actor } from '../../../lib/access/actor.ts'
import { newId } from '../../../lib/ids.ts'
import { JobError } from '../../../lib/errors/job-error.ts'
import { createProviderGuard } from '../../../lib/models/provider-guard.ts'
import { contextForFile, eventually, newUser } from '../../helpers/context.ts'
import { startTestWorker } from '../../helpers/workers.ts'

const context = contextForFile(test, { JOB_BACKOFF_MS: '60000' })

async function person(): Promise<Actor> {
  const id = await newUser(context())
  return { id, role: 'user', credential: { kind: 'session', id } }
}

const waitingFor = async (actor: Actor, id: string) => (await context().jobs.find(actor, id)).waitingFor

/** When the row says that the job is due. */
const dueOf = async (id: string) =>
  ((await context().knex('jobs').where({ id }).first('run_at')).run_at as Date).toISOString()

test('worker: a job that could start waits for a worker, and for nothing once it runs or has ended', async (t) => {
  const { jobs, lifecycle } = context()
  const actor = await person()
  const { job } = await jobs.admit({ actor, action: 'code_validation', input: {} })
  t.deepEqual(job.waitingFor, { reason: 'worker', until: null })
  t.deepEqual(await waitingFor(actor, job.id), { reason: 'worker', until: null })
  t.is((await lifecycle.start(job.id, 'one')).kind, 'started')
  t.is(await waitingFor(actor, job.id), null)
  t.true(await lifecycle.complete(job.id, 1, async () => ({}), null))
  t.is(await waitingFor(actor, job.id), null)
})

test('delay: a job that failed and is tried again says when', async (t) => {
  const actor = await person()
  const worker = await startTestWorker(context(), {
    rag_search: async () => {
      throw new JobError('provider_unavailable', 'the model provider answered 500', { retryable: true })
    }
  })
  t.teardown(worker.stop)
  const { job } = await context().jobs.admit({ actor, action: 'rag_search', input: {} })
  const waits = await eventually(async () => {
    const { waitingFor: found } = await context().jobs.find(actor, job.id)
    return found?.reason === 'delay' ? found : undefined
  })
  t.deepEqual(waits, { reason: 'delay', until: await dueOf(job.id) })
  t.true(Date.parse(waits.until ?? '') > Date.now())
})

test('provider: a job that the limits of a model keep out says until when', async (t) => {
  const { redis, prefix, log } = context()
  const actor = await person()
  const limits = { m: { requestsPerMinute: 1, tokensPerMinute: 0 } }
  const guard = createProviderGuard({ redis, prefix, limits, log })
  const worker = await startTestWorker(context(), {
    embedding_generation: async ({ signal }) => {
      await guard.enter('m', 1, signal)
      return async () => ({})
    }
  })
  t.teardown(worker.stop)
  const admit = async () =>
    (await context().jobs.admit({ actor, action: 'embedding_generation', input: { input: 'x' } })).job.id
  const ids = [await admit(), await admit()]
  const [id, waits] = await eventually(async () => {
    for (const one of ids) {
      const found = await waitingFor(actor, one)
      if (found?.reason === 'provider') return [one, found] as const
    }
    return undefined
  })
  t.deepEqual(waits, { reason: 'provider', until: await dueOf(id) })
  t.like(await context().jobs.attempts(actor, id), [
    { outcome: 'retried', waitReason: 'provider', nextAt: waits.until }
  ])
})

test('thread: a turn waits until those before it have ended', async (t) => {
  const { jobs, lifecycle } = context()
  const actor = await person()
  const admit = async () =>
    (await jobs.admit({ actor, action: 'chat_completion', input: {}, threadId: actor.id })).job.id
  const [first, second] = [await admit(), await admit()]
  t.deepEqual(await waitingFor(actor, first), { reason: 'worker', until: null })
  t.deepEqual(await waitingFor(actor, second), { reason: 'thread', until: null })
  t.is((await lifecycle.start(first, 'one')).kind, 'started')
  t.deepEqual(await waitingFor(actor, second), { reason: 'thread', until: null })
  t.true(await lifecycle.complete(first, 1, async () => ({}), null))
  t.deepEqual(await waitingFor(actor, second), { reason: 'worker', until: null })
})

test('budget: a job of the platform whose owner’s budget is used up says when it looks again', async (t) => {
  const { jobs, knex, lifecycle, transaction, budgetStore } = context()
  const actor = await person()
  const goalId = newId()
  await knex('goals').insert({ id: goalId, user_id: actor.id, title: 'A goal that is worth some tokens' })
  await budgetStore.setBudget(actor.id, { dailyPico: 0n, monthlyPico: null })
  await transaction.transact((trx) =>
    jobs.enqueueEmbeddings(trx, { userId: actor.id, source: { type: 'goal', id: goalId } })
  )
  const { id } = await knex('jobs').where({ source_id: goalId }).first('id')
  t.deepEqual(await waitingFor(actor, id), { reason: 'delay', until: await dueOf(id) })
  await knex('jobs').where({ id }).update({ run_at: knex.fn.now() })
  t.is((await lifecycle.start(id, 'one')).kind, 'later')
  t.deepEqual(await waitingFor(actor, id), { reason: 'budget', until: await dueOf(id) })
  t.deepEqual(await jobs.attempts(actor, id), [])

  await budgetStore.setBudget(actor.id, { dailyPico: null, monthlyPico: null })
  await knex('jobs').where({ id }).update({ run_at: knex.fn.now() })
  t.is((await lifecycle.start(id, 'one')).kind, 'started')
  t.is(await waitingFor(actor, id), null)
})

test('queue_paused: a job that would start with the next worker is kept by an operator, also in lists', async (t) => {
  const { jobs, queues } = context()
  const actor = await person()
  const { job } = await jobs.admit({ actor, action: 'bulk_create', input: {} })
  const turn = (await jobs.admit({ actor, action: 'chat_completion', input: {} })).job.id
  await queues.of('bulk_create').pause()
  t.teardown(() => queues.of('bulk_create').resume())
  const paused = { reason: 'queue_paused' as const, until: null }
  t.deepEqual(await waitingFor(actor, job.id), paused)
  t.deepEqual(await waitingFor(actor, turn), { reason: 'worker', until: null })
  const listed = await jobs.list({ userId: actor.id, limit: 10 })
  t.deepEqual(
    listed.map(({ id, waitingFor: waits }) => [id, waits?.reason]),
    [
      [turn, 'worker'],
      [job.id, 'queue_paused']
    ]
  )
  await queues.of('bulk_create').resume()
  t.deepEqual(await waitingFor(actor, job.id), { reason: 'worker', until: null })
})

test('a process of the version before that moves a job leaves no reason behind that is not true', async (t) => {
  const { jobs, knex, lifecycle } = context()
  const actor = await person()
  const { job } = await jobs.admit({ actor, action: 'code_validation', input: {} })
  const pause = new JobError('provider_pause', 'not now', {
    retryable: true,
    retryAfterMs: 60_000,
    takesAttempt: false
  })
  const start = async () => {
    await knex('jobs').where({ id: job.id }).update({ run_at: knex.fn.now() })
    const started = await lifecycle.start(job.id, 'one')
    if (started.kind !== 'started') throw new Error('the job could not be started')
    return started.job
  }
  await lifecycle.fail(await start(), pause, null)
  t.is((await waitingFor(actor, job.id))?.reason, 'provider')
  await start()
  await knex('jobs')
    .where({ id: job.id })
    .update({ status: 'queued', worker: null, run_at: knex.raw(`now() + interval '1 minute'`) })
  t.deepEqual(await waitingFor(actor, job.id), { reason: 'delay', until: await dueOf(job.id) })
})
