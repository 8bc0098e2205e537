import test from 'ava'
import { newId } from '../../../lib/ids.ts'
import { JobError } from '../../../lib/errors/job-error.ts'
import type { StartedJob } from '../../../lib/store/jobs/runs.ts'
import { contextForFile, newUser } from '../../helpers/context.ts'

const context = contextForFile(test, { JOB_BACKOFF_MS: '10' })

const mayPass = new JobError('told', 'as asked', { retryable: true })

async function newJob() {
  const { job } = await context().jobs.admit({
    actor: { id: await newUser(context()) },
    action: 'rag_search',
    input: { query: 'x' }
  })
  return job.id
}

/** Starts a job whatever its time is. */
async function start(id: string, worker = `worker-${newId()}`): Promise<StartedJob> {
  const { knex, lifecycle } = context()
  await knex('jobs').where({ id, status: 'queued' }).update({ run_at: knex.fn.now() })
  const started = await lifecycle.start(id, worker)
  if (started.kind !== 'started') throw new Error(`the job could not be started: ${started.kind}`)
  return started.job
}

const attemptsOf = async (id: string, userId?: string) => await context().jobStore.attemptsOf(id, userId)
const complete = async ({ id, run }: StartedJob) => await context().lifecycle.complete(id, run, async () => ({}), null)

test('a job that nobody has, or that is somebody else’s, has no history; one that was never started an empty one', async (t) => {
  const id = await newJob()
  t.deepEqual(await attemptsOf(id), [])
  t.is(await attemptsOf(newId()), undefined)
  t.is(await attemptsOf(id, await newUser(context())), undefined)
})

test('each end of a run is one attempt, with the error that the job showed and the wait that followed', async (t) => {
  const { lifecycle, knex } = context()
  const id = await newJob()
  const first = await start(id, 'one')
  const [running] = (await attemptsOf(id)) ?? []
  t.like(running, { attempt: 1, run: 1, worker: 'one', outcome: 'running', endedAt: null, error: null, nextAt: null })
  await lifecycle.fail(first, mayPass, null)
  const { run_at: due } = await knex('jobs').where({ id }).first('run_at')
  await lifecycle.release(await start(id, 'two'))
  await complete(await start(id, 'three'))

  const attempts = (await attemptsOf(id)) ?? []
  const [retried, drained, completed] = attempts
  const error = { code: 'told', message: 'as asked', retryable: true }
  t.deepEqual(retried, {
    attempt: 1,
    run: 1,
    worker: 'one',
    startedAt: running?.startedAt as string,
    endedAt: retried?.endedAt as string,
    outcome: 'retried',
    error,
    nextAt: (due as Date).toISOString(),
    waitReason: 'delay'
  })
  t.like(drained, { attempt: 2, run: 2, worker: 'two', outcome: 'drained', error: null, waitReason: 'worker' })
  t.is(drained?.nextAt, drained?.endedAt)
  t.like(completed, { attempt: 2, run: 3, outcome: 'completed', error: null, nextAt: null, waitReason: null })
  t.is(attempts.length, 3)
  for (const { startedAt, endedAt } of attempts) t.true(startedAt <= (endedAt ?? ''))
})

test('a wait that the provider asked for says so, and takes no attempt', async (t) => {
  const id = await newJob()
  const pause = new JobError('provider_pause', 'not now', { retryable: true, retryAfterMs: 1, takesAttempt: false })
  await context().lifecycle.fail(await start(id), pause, null)
  const busy = new JobError('busy', 'not now', { retryable: true, retryAfterMs: 1, takesAttempt: false })
  await context().lifecycle.fail(await start(id), busy, null)
  t.like(await attemptsOf(id), [
    { attempt: 1, run: 1, outcome: 'retried', waitReason: 'provider', error: { code: 'provider_pause' } },
    { attempt: 1, run: 2, outcome: 'retried', waitReason: 'delay', error: { code: 'busy' } }
  ])
})

test('a run whose worker fell silent crashed when that was last heard of; when it comes back, it was overtaken', async (t) => {
  const { knex, workerStore } = context()
  const id = await newJob()
  const worker = `silent-${id}`
  const lost = await start(id, worker)
  const startedAt = new Date(Date.now() - 60_000)
  const seenAt = new Date(Date.now() - 30_000)
  await workerStore.heartbeat(worker, [])
  await knex('workers').where({ id: worker }).update({ seen_at: seenAt })
  await knex('jobs').where({ id }).update({ run_started_at: startedAt })

  const next = await start(id)
  const crashed = {
    attempt: 1,
    run: 1,
    worker,
    startedAt: startedAt.toISOString(),
    endedAt: seenAt.toISOString(),
    error: null,
    waitReason: 'worker' as const
  }
  const [first, second] = (await attemptsOf(id)) ?? []
  t.like(first, { ...crashed, outcome: 'crashed', nextAt: second?.startedAt as string })
  t.like(second, { attempt: 1, run: 2, outcome: 'running' })

  t.false(await complete(lost))
  t.like((await attemptsOf(id))?.[0], { ...crashed, outcome: 'overtaken' })
  t.true(await complete(next))
  t.false(await complete(lost), 'and again')
  t.like(await attemptsOf(id), [{ outcome: 'overtaken' }, { outcome: 'completed' }])
})

test('a late failure and a late release of an overtaken run say so too', async (t) => {
  const { lifecycle } = context()
  for (const late of [
    async (run: StartedJob) => t.is(await lifecycle.fail(run, mayPass, null), 'lost'),
    async (run: StartedJob) =>
      t.is(await lifecycle.fail(run, new JobError('told', 'no', { retryable: false }), null), 'lost'),
    async (run: StartedJob) => t.false(await lifecycle.release(run))
  ]) {
    const id = await newJob()
    const lost = await start(id)
    await start(id)
    t.like(await attemptsOf(id), [{ outcome: 'crashed' }, { outcome: 'running' }])
    await late(lost)
    t.like(await attemptsOf(id), [{ outcome: 'overtaken' }, { outcome: 'running' }])
  }
})

test('a worker that starts again what it lost sight of has overtaken itself', async (t) => {
  const id = await newJob()
  await start(id, 'same')
  await start(id, 'same')
  t.like(await attemptsOf(id), [
    { run: 1, outcome: 'overtaken', nextAt: (await attemptsOf(id))?.[1]?.startedAt as string },
    { run: 2, outcome: 'running' }
  ])
})

test('a job that takes its workers with it shows each crash, and the end that came of them', async (t) => {
  const { lifecycle } = context()
  const id = await newJob()
  for (const worker of ['a', 'b', 'c']) await start(id, worker)
  t.is((await lifecycle.start(id, 'd')).kind, 'over')
  t.like(await attemptsOf(id), [
    { run: 1, worker: 'a', outcome: 'crashed' },
    { run: 2, worker: 'b', outcome: 'crashed' },
    { run: 3, worker: 'c', outcome: 'crashed' },
    { run: 4, worker: 'd', outcome: 'failed', error: { code: 'worker_crashed' }, nextAt: null }
  ])
})

test('cancelling ends the attempt that runs, and makes none of a job that waits', async (t) => {
  const { lifecycle } = context()
  const [active, waiting, between] = [await newJob(), await newJob(), await newJob()]
  await start(active)
  await lifecycle.fail(await start(between), mayPass, null)
  for (const id of [active, waiting, between]) t.true(await lifecycle.cancelOpen(id, 'cancelled by its owner'))
  const error = { code: 'cancelled', message: 'cancelled by its owner', retryable: false }
  t.like(await attemptsOf(active), [{ run: 1, outcome: 'cancelled', error, nextAt: null, waitReason: null }])
  t.deepEqual(await attemptsOf(waiting), [])
  t.like(await attemptsOf(between), [{ run: 1, outcome: 'retried' }])
  t.is((await attemptsOf(between))?.length, 1)
})

test('the last two hundred attempts are kept', async (t) => {
  const { jobStore, transaction } = context()
  const id = await newJob()
  await context().knex('jobs').where({ id }).update({ run: 300 })
  const old = { attempt: 1, worker: 'w', started_at: new Date(), ended_at: new Date(), outcome: 'retried' }
  const runs = Array.from({ length: 250 }, (_, at) => ({ ...old, job_id: id, run: at + 51 }))
  await context().knex('job_attempts').insert(runs)
  const { run } = await start(id)
  const how = { outcome: 'retried' as const, delayMs: 0, error: null, countsAsAttempt: false }
  t.true(await transaction.transact((trx) => jobStore.requeue(trx, id, run, how)))
  const kept = (await attemptsOf(id))?.map((attempt) => attempt.run)
  t.is(kept?.length, 200)
  t.deepEqual([kept?.[0], kept?.at(-1)], [102, 301])
})

test('a run that a process of the version before started or ended keeps no later one from its end', async (t) => {
  const { knex, lifecycle } = context()
  const id = await newJob()
  const first = await start(id)
  // As that version moves a job: without a word about attempts.
  await knex('jobs').where({ id, run: first.run }).update({ status: 'queued', worker: null, run_at: knex.fn.now() })
  await knex('jobs')
    .where({ id })
    .update({ status: 'active', run: 2, attempts: 2, worker: 'old', run_started_at: null })
  const [running] = (await attemptsOf(id)) ?? []
  t.like(running, { run: 2, outcome: 'running', worker: 'old' })
  t.is(typeof running?.startedAt, 'string')
  t.true(await lifecycle.complete(id, 2, async () => ({}), null))
  t.like(await attemptsOf(id), [{ run: 2, attempt: 2, outcome: 'completed' }])
})

test('a job takes its attempts with it', async (t) => {
  const { knex } = context()
  const id = await newJob()
  await complete(await start(id))
  const { user_id: userId } = await knex('jobs').where({ id }).first('user_id')
  await knex('users').where({ id: userId }).delete()
  t.deepEqual(await knex('job_attempts').where({ job_id: id }), [])
})

test.serial('attempts are written by the statements that move the job, and by no others', async (t) => {
  const { knex, lifecycle } = context()
  const ids = await Promise.all(Array.from({ length: 4 }, newJob))
  const seen: string[] = []
  const listen = ({ sql }: { sql: string }) => void (sql.includes('job_attempts') && seen.push(sql))
  knex.on('query', listen)
  t.teardown(() => void knex.off('query', listen))
  const [completed, failed, taken, cancelled] = ids as [string, string, string, string]
  await complete(await start(completed))
  t.is(seen.length, 1, 'a start writes none')
  await lifecycle.fail(await start(failed), mayPass, null)
  await lifecycle.release(await start(failed))
  await lifecycle.fail(await start(failed), new JobError('told', 'no', { retryable: false }), null)
  await start(taken)
  await start(taken)
  await start(cancelled)
  await lifecycle.cancelOpen(cancelled, 'why')
  t.is(seen.length, 6)
  t.true(seen.every((sql) => /update jobs/.test(sql)))
})
