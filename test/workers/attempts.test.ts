import test from 'ava'
import { newId } from '../../lib/ids.ts'
import { JobError } from '../../lib/errors/job-error.ts'
import { createUsageTracker } from '../../lib/usage/tracker.ts'
import { createRunJob } from '../../workers/run-job.ts'
import { createRunningJobs } from '../../workers/running-jobs.ts'
import { contextForFile, eventually, newUser } from '../helpers/context.ts'
import { handlersOf, startTestWorker } from '../helpers/workers.ts'

const context = contextForFile(test, { JOB_ATTEMPTS: '3' })

async function person() {
  const id = await newUser(context())
  return { id, role: 'user' as const, credential: { kind: 'session' as const, id } }
}

const attemptsOf = async (id: string) => (await context().jobStore.attemptsOf(id)) ?? []

async function ended(id: string) {
  await eventually(async () => {
    const status = (await context().jobStore.find(id))?.status
    return status !== 'queued' && status !== 'active'
  })
}

// The tests of this file share queues, so they run one after another with a worker each.
test.serial('why a job was retried can be read: the error, the wait and the reason of each attempt', async (t) => {
  const failures = [
    new JobError('provider_unavailable', 'the model provider answered 502', { retryable: true }),
    new JobError('provider_circuit', 'not now', { retryable: true, retryAfterMs: 20, takesAttempt: false })
  ]
  const worker = await startTestWorker(context(), {
    rag_search: async ({ run }) => {
      const failure = failures[run - 1]
      if (failure) throw failure
      return async () => ({})
    }
  })
  t.teardown(worker.stop)
  const { job } = await context().jobs.admit({ actor: await person(), action: 'rag_search', input: {} })
  await ended(job.id)
  const attempts = await attemptsOf(job.id)
  const own = { worker: worker.worker }
  const first = { code: 'provider_unavailable', message: 'the model provider answered 502', retryable: true }
  t.like(attempts, [
    { ...own, attempt: 1, run: 1, outcome: 'retried', error: first, waitReason: 'delay' },
    { ...own, attempt: 2, run: 2, outcome: 'retried', error: { code: 'provider_circuit' }, waitReason: 'provider' },
    { ...own, attempt: 2, run: 3, outcome: 'completed', error: null, nextAt: null, waitReason: null }
  ])
  for (const [at, { nextAt }] of attempts.slice(0, 2).entries()) {
    t.true((nextAt ?? '') <= (attempts[at + 1]?.startedAt ?? ''), 'no attempt began before its time')
  }
})

test.serial('a drain is an attempt that was given back, and the next worker goes on', async (t) => {
  const release = Promise.withResolvers<void>()
  const worker = await startTestWorker(context(), {
    rag_search: async ({ run, signal }) => {
      if (run > 1) return async () => ({})
      signal.addEventListener('abort', () => release.resolve())
      await release.promise
      signal.throwIfAborted()
      return async () => ({})
    }
  })
  t.teardown(worker.stop)
  const { job } = await context().jobs.admit({ actor: await person(), action: 'rag_search', input: {} })
  await eventually(async () => worker.running.has(job.id))
  t.like(await attemptsOf(job.id), [{ run: 1, outcome: 'running', worker: worker.worker }])
  worker.running.abortAll('shutdown')
  await ended(job.id)
  t.like(await attemptsOf(job.id), [
    { attempt: 1, run: 1, outcome: 'drained', error: null, waitReason: 'worker' },
    { attempt: 1, run: 2, outcome: 'completed' }
  ])
})

test.serial('a job that is cancelled while it runs says by whom', async (t) => {
  const worker = await startTestWorker(context(), {
    rag_search: async ({ signal }) => {
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      return async () => ({})
    }
  })
  t.teardown(worker.stop)
  const actor = await person()
  const { job } = await context().jobs.admit({ actor, action: 'rag_search', input: {} })
  await eventually(async () => worker.running.has(job.id))
  await context().jobs.cancel(actor, job.id)
  await eventually(async () => !worker.running.has(job.id))
  t.like(await attemptsOf(job.id), [
    { run: 1, outcome: 'cancelled', error: { code: 'cancelled', message: 'cancelled by its owner' }, nextAt: null }
  ])
})

test.serial('the job of a dead worker shows the crash; a worker that was only frozen was overtaken', async (t) => {
  const { jobs, lifecycle, jobStore, progress, queues, log } = context()
  const running = createRunningJobs()
  // A worker of which nobody has heard: it lives, and cannot say so.
  const frozen = createRunJob({
    lifecycle,
    store: jobStore,
    progress,
    tracker: createUsageTracker(),
    running,
    handlers: handlersOf({
      rag_search: async ({ signal }) => {
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        return async () => ({})
      }
    }),
    worker: `frozen-${newId()}`,
    log
  })
  await queues.of('rag_search').pause()
  const { job } = await jobs.admit({ actor: await person(), action: 'rag_search', input: {} })
  const delivery = frozen(job.id)
  await eventually(async () => running.has(job.id))

  const worker = await startTestWorker(context(), { rag_search: async () => async () => ({}) })
  t.teardown(worker.stop)
  await queues.of('rag_search').resume()
  await ended(job.id)
  t.like(await attemptsOf(job.id), [
    { attempt: 1, run: 1, outcome: 'crashed', error: null, waitReason: 'worker' },
    { attempt: 1, run: 2, outcome: 'completed', worker: worker.worker }
  ])

  running.abort(job.id, 'lost')
  await delivery
  t.like(await attemptsOf(job.id), [
    { run: 1, outcome: 'overtaken' },
    { run: 2, outcome: 'completed' }
  ])
})

test.serial('attempts that are used up end with a failure, and nothing follows it', async (t) => {
  const worker = await startTestWorker(context(), {
    rag_search: async () => {
      throw new Error('with words of a user in it')
    }
  })
  t.teardown(worker.stop)
  const { job } = await context().jobs.admit({ actor: await person(), action: 'rag_search', input: {} })
  await ended(job.id)
  const error = { code: 'internal', message: 'the job met an unexpected error', retryable: true }
  t.like(await attemptsOf(job.id), [
    { attempt: 1, outcome: 'retried', error },
    { attempt: 2, outcome: 'retried', error },
    { attempt: 3, outcome: 'failed', error, nextAt: null, waitReason: null }
  ])
})
