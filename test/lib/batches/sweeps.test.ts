import test from 'ava'
import { createStatistics } from '../../../lib/store/audit/statistics.ts'
import { createCheckpointStore } from '../../../lib/store/jobs/checkpoints.ts'
import { createReconciler } from '../../../lib/jobs/reconciler.ts'
import { newId } from '../../../lib/ids.ts'
import { createRetries } from '../../../workers/dead-letters.ts'
import { createDeadLetterRetry } from '../../../lib/dead-letters/retry.ts'
import { auditRow, insertAudits } from '../../helpers/audits.ts'
import { contextForFile, eventually, newUser } from '../../helpers/context.ts'
import { refuseRow } from '../../helpers/refuse-row.ts'
import { runningJob } from '../../helpers/models.ts'

const context = contextForFile(test)
const dayMs = 86_400_000

const lettersOf = async (kind: string) => await context().deadLetterStore.list({ kind, limit: 100 })

/** Asks for all of a kind to be tried again, and does it. */
async function retryAll(kind: string) {
  const { admin, deadLetterStore, log } = context()
  await deadLetterStore.requestRetries(kind, 100)
  await createDeadLetterRetry({ store: deadLetterStore, handlers: createRetries({ admin }), log })()
}

test.serial('a delta that cannot be rolled up keeps no other, and counts all the same', async (t) => {
  const { knex, admin } = context()
  for (let n = 0; n < 20; n++) await insertAudits(knex, [auditRow({ tokens: 10 })])
  const deltas = (await knex('audit_deltas').orderBy('id').pluck('id')) as string[]
  const bad = deltas[6] as string
  const allow = await refuseRow(knex, 'audit_deltas', 'delete', bad)
  const figures = createStatistics({ knex })
  const range = { from: new Date(Date.now() - dayMs), to: new Date(Date.now() + dayMs) }
  const totals = async () => (await figures.statistics(range, 'hour', undefined)).totals.totalTokens
  while (await admin.rollUps.fold(1_000));
  t.deepEqual(await knex('audit_deltas').pluck('id'), [bad])
  t.is(await totals(), 200)
  t.like(await lettersOf('roll_ups.audit_deltas'), [{ key: String(bad), code: 'database_refused', attempts: 1 }])
  await insertAudits(knex, [auditRow({ tokens: 5 })])
  while (await admin.rollUps.fold(1_000));
  t.is((await knex('audit_deltas').pluck('id')).length, 1)
  t.is((await lettersOf('roll_ups.audit_deltas'))[0]?.attempts, 1)

  await allow()
  await retryAll('roll_ups.audit_deltas')
  while (await admin.rollUps.fold(1_000));
  t.deepEqual(await knex('audit_deltas').pluck('id'), [])
  t.is(await totals(), 205)
})

test.serial('an old audit that cannot be removed keeps no other', async (t) => {
  const { knex, admin } = context()
  const old = Array.from({ length: 30 }, (_, n) => auditRow({ created_at: new Date(Date.now() - 100 * dayMs - n) }))
  await insertAudits(knex, old)
  const bad = old[29]?.id as string // the oldest
  await refuseRow(knex, 'rate_limit_audits', 'delete', bad)
  while (await admin.retention.removeOld(90, 10));
  const left = await knex('rate_limit_audits')
    .where('created_at', '<', new Date(Date.now() - 90 * dayMs))
    .pluck('id')
  t.deepEqual(left, [bad])
  t.like(await lettersOf('retention.audits'), [{ key: bad, attempts: 1 }])
})

test.serial(
  'a call and a checkpoint that cannot be tidied up keep no other, and jobs are reconciled meanwhile',
  async (t) => {
    const { knex, ledger, lifecycle, jobStore, queues, deadLetters, config, log, jobs } = context()
    const { priceId } = (await ledger.priceOf(config.chatModel)) as { priceId: string }
    const calls: string[] = []
    for (let n = 0; n < 5; n++) {
      const scope = await runningJob(context())
      const id = newId()
      const share = { scope, step: 'answer', inputHash: 'hash', worstCasePico: 1n }
      await ledger.intend({ id, kind: 'chat', model: config.chatModel, priceId, shares: [share] })
      await lifecycle.cancelOpen(scope.jobId, 'cancelled by a test')
      calls.push(id)
    }
    await knex('model_calls').update({ created_at: knex.raw(`now() - interval '1 minute'`) })
    await refuseRow(knex, 'model_calls', 'update', calls[2] as string)
    const threads = Array.from({ length: 5 }, () => newId())
    for (const table of ['checkpoints', 'checkpoint_blobs', 'checkpoint_writes']) {
      await knex.raw(`create table ${table} (thread_id text not null)`)
      await knex(table).insert(threads.map((id) => ({ thread_id: id })))
    }
    await refuseRow(knex, 'checkpoint_blobs', 'delete', threads[1] as string, 'thread_id')
    const { job } = await jobs.admit({ actor: { id: await newUser(context()) }, action: 'rag_search', input: {} })
    await queues.of('rag_search').remove(job.id)
    await knex('jobs')
      .where({ id: job.id })
      .update({ created_at: knex.raw(`now() - interval '1 minute'`) })

    const checkpoints = createCheckpointStore({ knex, schema: config.databaseSchema })
    const heard = { failed: 0 }
    const report = () => ({ succeeded() {}, failed: () => void heard.failed++, ended() {} })
    const reconciler = createReconciler({
      store: jobStore,
      queues,
      ledger,
      checkpoints,
      deadLetters,
      report,
      everyMs: 20,
      log
    })
    reconciler.start()
    t.teardown(reconciler.stop)
    const stateOf = async (id: string | undefined) => (await knex('model_calls').where({ id }).first('state'))?.state
    await eventually(async () => (await stateOf(calls[4])) === 'unknown' && (await stateOf(calls[0])) === 'unknown')
    t.is(await stateOf(calls[2]), 'intended')
    await eventually(async () => (await knex('checkpoints').pluck('thread_id')).length === 1)
    t.deepEqual(await knex('checkpoints').pluck('thread_id'), [threads[1]])
    await eventually(async () => (await queues.of('rag_search').getJobState(job.id)) !== 'unknown')
    t.like(await lettersOf('unsettled_calls'), [{ key: calls[2], attempts: 1 }])
    t.like(await lettersOf('checkpoints'), [{ key: threads[1], attempts: 1 }])
    t.is(heard.failed, 0)
  }
)

test.serial(
  'a job whose queue does not answer for it is put aside for a minute, and the others are put back',
  async (t) => {
    const { knex, ledger, jobStore, queues, deadLetters, redis, prefix, log, jobs } = context()
    const owner = { id: await newUser(context()) }
    const admitted = [1, 2, 3].map(
      async () => (await jobs.admit({ actor: owner, action: 'rag_search', input: {} })).job.id
    )
    const ids = await Promise.all(admitted)
    const [bad = '', ...others] = ids
    for (const id of ids) await queues.of('rag_search').remove(id)
    await redis.set(`{${prefix}}:rag_search:${bad}`, 'no hash, as BullMQ expects')
    await knex('jobs')
      .whereIn('id', ids)
      .update({ created_at: knex.raw(`now() - interval '1 minute'`) })
    const reconciler = createReconciler({ store: jobStore, queues, ledger, deadLetters, everyMs: 60_000, log })
    await reconciler.reconcile()
    for (const id of others) t.not(await queues.of('rag_search').getJobState(id), 'unknown')
    const letters = (await lettersOf('reconciler')).filter(({ key }) => key === bad)
    t.like(letters, [{ code: 'not_compared', attempts: 1 }])
    t.truthy(letters[0]?.retryAt)
    await reconciler.reconcile()
    t.is((await lettersOf('reconciler')).find(({ key }) => key === bad)?.attempts, 1)
  }
)

test.serial('a decision that PostgreSQL refuses is kept with all it says, and stored when it can be', async (t) => {
  const { admin, deadLetters, deadLetterStore, knex } = context()
  const decision = {
    id: newId(),
    at: Date.now(),
    userId: null,
    ip: '192.0.2.7',
    action: 'api_call' as const,
    outcome: 'allowed' as const,
    method: 'GET',
    path: '/api/v1/goals',
    userAgent: 'a NUL: \u0000',
    limits: [],
    repeats: 0
  }
  const error = (await t.throwsAsync(admin.recordDecisions([decision]))) as Error
  await deadLetters.setAside({ kind: 'audits', key: decision.id, payload: { decision }, error })
  await retryAll('audits')
  t.like(await lettersOf('audits'), [{ attempts: 2, retryAt: null }])
  const cured = { ...decision, userAgent: 'cured' }
  await deadLetterStore.setAside({
    kind: 'audits',
    key: decision.id,
    payload: { decision: cured },
    failure: { code: 'x', message: 'x' }
  })
  await retryAll('audits')
  t.deepEqual(await lettersOf('audits'), [])
  t.is((await knex('rate_limit_audits').where({ id: decision.id }).first('user_agent'))?.user_agent, 'cured')
})
