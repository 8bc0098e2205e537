import test from 'ava'
import { JobError } from '../../../lib/errors/job-error.ts'
import { contextForFile, newUser } from '../../helpers/context.ts'

const context = contextForFile(test, { JOB_ATTEMPTS: '3', JOB_WAIT_MINUTES: '10' })

const notNow = (code = 'provider_pause') =>
  new JobError(code, 'not now', { retryable: true, retryAfterMs: 60_000, takesAttempt: false })

async function newJob() {
  const { job } = await context().jobs.admit({
    actor: { id: await newUser(context()) },
    action: 'rag_search',
    input: { query: 'x' }
  })
  return job.id
}

/** One run of the job that ends with this error, whenever it would have been due. */
async function runOnce(id: string, error: JobError) {
  const { knex, lifecycle } = context()
  await knex('jobs').where({ id }).update({ run_at: knex.fn.now() })
  const started = await lifecycle.start(id, `test-${id}`)
  if (started.kind !== 'started') throw new Error('the job could not be started')
  return await lifecycle.fail(started.job, error, null)
}

test('a job that waits as it was told uses no attempt and says until when', async (t) => {
  const id = await newJob()
  const end = await runOnce(id, notNow())
  const delayMs = typeof end === 'string' ? 0 : end.delayMs
  t.true(delayMs >= 60_000 && delayMs <= 75_000)
  const job = await context().jobStore.find(id)
  t.like(job, { status: 'queued', attempts: 0, error: { code: 'provider_pause', retryable: true } })
  const [, until = ''] = /^not now; it goes on at (\S+)$/.exec(job?.error?.message ?? '') ?? []
  const row = await context().knex('jobs').where({ id }).first('run_at', 'waited_ms')
  t.true(Math.abs(row.run_at - Date.parse(until)) < 5_000, until)
  t.is(Number(row.waited_ms), delayMs)
})

test('it waits for a bounded time in all: then its attempts are used up', async (t) => {
  const id = await newJob()
  let waits = 0
  while ((await runOnce(id, notNow())) !== 'failed') waits += 1
  const job = await context().jobStore.find(id)
  t.like(job, { status: 'failed', attempts: 3, error: { code: 'provider_pause', message: 'not now' } })
  // ten minutes of waits that begin at one minute and grow, and two attempts
  t.true(waits >= 5 && waits <= 12, String(waits))
  const { waited_ms: waited } = await context().knex('jobs').where({ id }).first('waited_ms')
  t.true(Number(waited) > 400_000 && Number(waited) <= 600_000, waited)
})

test('its turn in limits that an operator set comes, however long the line', async (t) => {
  const id = await newJob()
  await context().knex('jobs').where({ id }).update({ waited_ms: 3_600_000 })
  await runOnce(id, notNow('provider_limit'))
  t.like(await context().jobStore.find(id), { status: 'queued', attempts: 0 })
})
