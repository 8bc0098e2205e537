import test from 'ava'
import { newId } from '../../lib/ids.ts'
import { workerAliveMs } from '../../lib/store/operations/workers.ts'
import { JobError } from '../../lib/errors/job-error.ts'
import { createReconciler } from '../../lib/jobs/reconciler.ts'
import { contextForFile, eventually, newUser } from '../helpers/context.ts'
import { startTestWorker } from '../helpers/workers.ts'

const context = contextForFile(test, { JOB_ATTEMPTS: '3' })

async function ended(id: string) {
  return await eventually(async () => {
    const job = await context().jobStore.find(id)
    return job && ['completed', 'failed', 'cancelled'].includes(job.status) ? job : undefined
  })
}

const eventsOf = async (id: string) =>
  (await context().knex('events').where({ subject: id }).orderBy('id').select('type')).map(({ type }) => type as string)

// The tests of this file share queues, so they run one after another with a worker each.
test.serial('a submitted job is run once and its result, event and end commit together', async (t) => {
  const { jobs, knex } = context()
  const worker = await startTestWorker(context(), {
    rag_search:
      async ({ input }) =>
      async (trx) => {
        await trx('client_ids').insert({ user_id: userId, type: 'goal', client_id: 'effect', record_id: userId })
        return { echoed: input }
      }
  })
  t.teardown(worker.stop)
  const userId = await newUser(context())
  const { job } = await jobs.admit({ actor: { id: userId }, action: 'rag_search', input: { query: 'x' } })
  t.like(job, { status: 'queued', attempts: 0, result: null, progress: null, retryOf: null })

  t.like(await ended(job.id), { status: 'completed', attempts: 1, result: { echoed: { query: 'x' } }, error: null })
  t.deepEqual(await eventsOf(job.id), ['job.started.rag_search', 'job.completed.rag_search'])
  t.is((await knex('client_ids').where({ user_id: userId })).length, 1)
})

test.serial('a failure that may pass is retried, and the attempts are counted', async (t) => {
  let calls = 0
  const worker = await startTestWorker(context(), {
    rag_search: async () => {
      calls += 1
      if (calls < 3) throw new JobError('provider_unavailable', 'busy', { retryable: true })
      return async () => ({ calls })
    }
  })
  t.teardown(worker.stop)
  const userId = await newUser(context())
  const { job } = await context().jobs.admit({ actor: { id: userId }, action: 'rag_search', input: {} })
  t.like(await ended(job.id), { status: 'completed', attempts: 3, result: { calls: 3 }, error: null })
})

test.serial('a job fails when its attempts are used up, or at once when another cannot help', async (t) => {
  const worker = await startTestWorker(context(), {
    rag_search: async ({ input }) => {
      throw new JobError('told', 'as asked', { retryable: (input as { retryable: boolean }).retryable })
    }
  })
  t.teardown(worker.stop)
  const userId = await newUser(context())
  const admit = (retryable: boolean) =>
    context().jobs.admit({ actor: { id: userId }, action: 'rag_search', input: { retryable } })
  const [passing, final] = [await admit(true), await admit(false)]
  t.like(await ended(passing.job.id), { status: 'failed', attempts: 3, error: { code: 'told', retryable: true } })
  t.like(await ended(final.job.id), { status: 'failed', attempts: 1, error: { code: 'told', retryable: false } })
  t.deepEqual((await eventsOf(passing.job.id)).at(-1), 'job.failed.rag_search')

  const retried = await context().jobs.retry(final.job.id)
  t.like(retried, { retryOf: final.job.id, status: 'queued' })
  await ended(retried.id)
})

test.serial(
  'an attempt that the worker cannot have any more is given up and made again while the worker lives',
  async (t) => {
    const { knex, jobs, jobStore, queues, ledger, log } = context()
    const release = Promise.withResolvers<void>()
    const worker = await startTestWorker(context(), {
      rag_search: async ({ input }) => {
        if ((input as { slow?: boolean }).slow) await release.promise
        return async () => ({ done: true })
      }
    })
    t.teardown(worker.stop)
    const userId = await newUser(context())
    const slow = await jobs.admit({ actor: { id: userId }, action: 'rag_search', input: { slow: true } })
    // As after a start whose answer never came because the database went away: the row has a run that nobody runs.
    const { job } = await jobs.admit({ actor: { id: userId }, action: 'chat_completion', input: {} })
    await knex('jobs')
      .where({ id: job.id })
      .update({
        action: 'rag_search',
        status: 'active',
        run: 1,
        attempts: 1,
        worker: worker.worker,
        created_at: knex.raw(`now() - interval '1 minute'`)
      })
    const found = await eventually(async () => {
      const view = await jobStore.find(job.id)
      return view?.status === 'queued' ? view : undefined
    })
    t.like(found, { attempts: 1, error: { code: 'unavailable', retryable: true } })

    const reconciler = createReconciler({
      store: jobStore,
      queues,
      ledger,
      deadLetters: context().deadLetters,
      everyMs: 100,
      log
    })
    reconciler.start()
    t.teardown(() => reconciler.stop())
    t.like(await ended(job.id), { status: 'completed', attempts: 2, error: null })
    // What really runs is left alone however often it is looked at.
    t.like(await jobStore.find(slow.job.id), { status: 'active', attempts: 1 })
    release.resolve()
    t.like(await ended(slow.job.id), { status: 'completed', attempts: 1 })
  }
)

test.serial('the jobs of a dead worker start again at once, also while every place is taken', async (t) => {
  const { jobs, jobStore, knex, lifecycle, workerStore, redis, prefix } = context()
  // Looks come twice a second, and less often on a busy machine: a clock for what happens between them.
  let looks = 0
  const abandoned: typeof jobStore.abandoned = async (...args) => {
    looks++
    return await jobStore.abandoned(...args)
  }
  const release = Promise.withResolvers<void>()
  const started: string[] = []
  const worker = await startTestWorker(
    { ...context(), jobStore: { ...jobStore, abandoned } },
    {
      rag_search: async ({ id }) => {
        started.push(id)
        await release.promise
        return async () => ({ done: true })
      }
    },
    { places: 2 }
  )
  t.teardown(worker.stop)
  const userId = await newUser(context())
  const admit = async () => (await jobs.admit({ actor: { id: userId }, action: 'rag_search', input: {} })).job.id
  const long = [await admit(), await admit()]
  await eventually(async () => started.length === 2)
  const behind = await admit()

  // Another worker took two and died: its rows say so, its locks are gone, BullMQ has them in front.
  const orphans = [await admit(), await admit()]
  await workerStore.heartbeat('dead', ['rag_search'])
  for (const id of orphans) {
    t.is((await lifecycle.start(id, 'dead')).kind, 'started')
    await redis.zrem(`{${prefix}}:rag_search:prioritized`, id)
    await redis.lpush(`{${prefix}}:rag_search:active`, id)
  }
  // Silent for as long as a worker may be, which leaves two of the five seconds that are promised.
  t.true(workerAliveMs <= 3_000)
  await knex('workers')
    .where({ id: 'dead' })
    .update({ seen_at: knex.raw(`now() - interval '3 seconds'`) })
  const before = looks
  await eventually(async () => started.length === 4)
  t.true(looks - before <= 6, `${looks - before} looks`)
  t.deepEqual(started.toSorted(), [...long, ...orphans].toSorted())
  release.resolve()
  for (const id of [...long, ...orphans, behind]) t.is((await ended(id)).status, 'completed')
})

test.serial('an effect that fails leaves nothing behind', async (t) => {
  const userId = await newUser(context())
  const worker = await startTestWorker(context(), {
    rag_search: async () => async (trx) => {
      await trx('client_ids').insert({ user_id: userId, type: 'goal', client_id: 'gone', record_id: userId })
      throw new JobError('no', 'not this', { retryable: false })
    }
  })
  t.teardown(worker.stop)
  const { job } = await context().jobs.admit({ actor: { id: userId }, action: 'rag_search', input: {} })
  t.is((await ended(job.id)).status, 'failed')
  t.deepEqual(await context().knex('client_ids').where({ user_id: userId }), [])
})

test.serial('an active job is cancelled at once, keeps its text, and cannot be ended again', async (t) => {
  const { jobs } = context()
  let aborted = false
  const worker = await startTestWorker(context(), {
    chat_completion: async ({ signal, partial }) => {
      partial('so far')
      await new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          aborted = true
          reject(signal.reason)
        })
      })
      return async () => ({ late: true })
    }
  })
  t.teardown(worker.stop)
  const userId = await newUser(context())
  const actor = { id: userId, role: 'user' as const, credential: { kind: 'session' as const, id: userId } }
  const { job } = await jobs.admit({ actor, action: 'chat_completion', input: {} })
  await eventually(async () => (await jobs.find(actor, job.id)).status === 'active')

  t.is((await jobs.cancel(actor, job.id)).status, 'cancelled')
  await eventually(async () => aborted)
  t.is((await jobs.cancel(actor, job.id)).status, 'cancelled')
  const kept = await eventually(async () => {
    const found = await jobs.find(actor, job.id)
    return found.result ? found : undefined
  })
  t.like(kept, { status: 'cancelled', result: { message: { content: 'so far' } } })
  t.deepEqual(await eventsOf(job.id), ['job.started.chat_completion', 'job.cancelled.chat_completion'])
})

test.serial('a run that was overtaken writes nothing', async (t) => {
  const { jobs, lifecycle, workerStore, knex } = context()
  const userId = await newUser(context())
  const { job } = await jobs.admit({ actor: { id: userId }, action: 'bulk_create', input: {} })
  await workerStore.heartbeat('one', [])
  await workerStore.heartbeat('two', [])
  const first = await lifecycle.start(job.id, 'one')
  t.like(first, { kind: 'started', job: { run: 1 } })
  t.like(await lifecycle.start(job.id, 'two'), { kind: 'held' }, 'the first worker is alive')

  await knex('workers')
    .where({ id: 'one' })
    .update({ seen_at: knex.raw(`now() - interval '1 minute'`) })
  t.like(await lifecycle.start(job.id, 'two'), { kind: 'started', job: { run: 2, attempts: 1, crashes: 1 } })
  let effects = 0
  const effect = async () => {
    effects += 1
    return {}
  }
  t.false(await lifecycle.complete(job.id, 1, effect, null))
  t.is(effects, 0)
  t.true(await lifecycle.complete(job.id, 2, effect, null))
  t.false(await lifecycle.complete(job.id, 2, effect, null))
  t.is(effects, 1)
})

test.serial('a job that takes its worker with it three times fails with a code that says so', async (t) => {
  const { jobs, lifecycle, jobStore } = context()
  const userId = await newUser(context())
  const { job } = await jobs.admit({ actor: { id: userId }, action: 'bulk_create', input: {} })
  for (const worker of ['a', 'b', 'c']) t.is((await lifecycle.start(job.id, worker)).kind, 'started')
  t.is((await lifecycle.start(job.id, 'd')).kind, 'over')
  t.like(await jobStore.find(job.id), { status: 'failed', error: { code: 'worker_crashed', retryable: false } })
})

test.serial('the reconciler puts back what Redis lost, and only that', async (t) => {
  const { jobs, queues, jobStore, ledger, knex, log } = context()
  const userId = await newUser(context())
  const admit = () => jobs.admit({ actor: { id: userId }, action: 'code_validation', input: {} })
  const [lost, kept] = [await admit(), await admit()]
  await queues.of('code_validation').remove(lost.job.id)
  await knex('jobs').update({ created_at: knex.raw(`created_at - interval '10 seconds'`) })

  const reconciler = createReconciler({
    store: jobStore,
    queues,
    ledger,
    deadLetters: context().deadLetters,
    everyMs: 60_000,
    log
  })
  t.is(await reconciler.reconcile(), 1)
  t.is(await reconciler.reconcile(), 0)
  const worker = await startTestWorker(context(), { code_validation: async () => async () => ({ ok: true }) })
  t.teardown(worker.stop)
  t.like(await ended(lost.job.id), { status: 'completed', attempts: 1 })
  t.like(await ended(kept.job.id), { status: 'completed', attempts: 1 })
})

test.serial('jobs of one thread run one after another', async (t) => {
  const { jobs } = context()
  const userId = await newUser(context())
  let inside = 0
  let most = 0
  const order: unknown[] = []
  const worker = await startTestWorker(context(), {
    chat_completion: async ({ input }) => {
      inside += 1
      most = Math.max(most, inside)
      await new Promise((resolve) => setTimeout(resolve, 30))
      inside -= 1
      return async () => {
        order.push((input as { n: number }).n)
        return {}
      }
    }
  })
  t.teardown(worker.stop)
  const all = []
  for (const n of [1, 2, 3]) {
    all.push(await jobs.admit({ actor: { id: userId }, action: 'chat_completion', input: { n }, threadId: userId }))
  }
  for (const { job } of all) t.is((await ended(job.id)).status, 'completed')
  t.is(most, 1)
  t.deepEqual(order, [1, 2, 3])
})

test.serial('a job of the platform is retried as one, for its record, unless a newer one waits already', async (t) => {
  const { jobs, jobStore, knex, transaction } = context()
  const userId = await newUser(context())
  const source = { type: 'goal' as const, id: newId() }
  const enqueue = () => transaction.transact((trx) => jobs.enqueueEmbeddings(trx, { userId, source }))
  const ofSource = () => knex('jobs').where({ source_id: source.id }).orderBy('id').select('id', 'origin', 'status')
  await enqueue()
  const [{ id }] = await ofSource()
  await knex('jobs').where({ id }).update({ status: 'failed', finished_at: knex.fn.now() })

  const retried = await jobs.retry(id)
  t.like(retried, { retryOf: id, status: 'queued', action: 'embedding_generation' })
  t.like(await ofSource(), [
    { id, status: 'failed' },
    { id: retried.id, origin: 'system', status: 'queued' }
  ])
  // An edit is served by the job that waits, and a second retry is refused for the same reason.
  await enqueue()
  await t.throwsAsync(jobs.retry(id), { message: /waits already/ })
  t.is((await ofSource()).length, 2)
  t.like(await jobStore.find(retried.id), { status: 'queued' })
})

test.serial('a turn that was admitted earlier and became visible later waits for the one that runs', async (t) => {
  const { jobs, knex, lifecycle } = context()
  const userId = await newUser(context())
  const admit = async () =>
    (await jobs.admit({ actor: { id: userId }, action: 'chat_completion', input: {}, threadId: userId })).job.id
  const [earlier, later] = [await admit(), await admit()]
  await knex('jobs').where({ id: earlier }).update({ thread_id: null })
  t.is((await lifecycle.start(later, 'one')).kind, 'started')
  await knex('jobs').where({ id: earlier }).update({ thread_id: userId })
  t.is((await lifecycle.start(earlier, 'two')).kind, 'later')
  // Its worker is not heard of: the later one may be started again, also with the earlier one waiting.
  t.is((await lifecycle.start(later, 'two')).kind, 'started')
  await knex('jobs').where({ id: later }).update({ status: 'completed', finished_at: knex.fn.now() })
  t.is((await lifecycle.start(earlier, 'two')).kind, 'started')
  await knex('jobs').where({ id: earlier }).update({ status: 'completed', finished_at: knex.fn.now() })
})

test.serial('many edits of a record queue one embedding job', async (t) => {
  const { jobs, transaction, knex } = context()
  const userId = await newUser(context())
  const source = { type: 'goal' as const, id: userId }
  for (let edit = 0; edit < 20; edit++) {
    await transaction.transact((trx) => jobs.enqueueEmbeddings(trx, { userId, source }))
  }
  const rows = await knex('jobs').where({ source_id: userId })
  t.is(rows.length, 1)
  t.like(rows[0], { origin: 'system', status: 'queued', action: 'embedding_generation' })
})

test.serial('a worker whose main thread is busy keeps its jobs: only one that is silent loses them', async (t) => {
  const { jobs, lifecycle, knex } = context()
  const worker = await startTestWorker(context(), {})
  t.teardown(worker.stop)
  const userId = await newUser(context())
  const { job } = await jobs.admit({ actor: { id: userId }, action: 'bulk_create', input: {} })
  t.is((await lifecycle.start(job.id, worker.worker)).kind, 'started')
  const seen = async () => (await knex('workers').where({ id: worker.worker }).first('seen_at')).seen_at as Date
  const before = await seen()
  const until = Date.now() + 4_000
  while (Date.now() < until) {
    // busy: no timer of this thread runs
  }
  t.true((await seen()).getTime() > before.getTime() + 1_000, 'it was heard of meanwhile')
  // On a busy machine a heartbeat may be late as well: what is shown is that it comes.
  await eventually(async () => Date.now() - (await seen()).getTime() < 1_000)
  t.is((await lifecycle.start(job.id, 'another')).kind, 'held')
})
