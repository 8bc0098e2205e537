import test from 'ava'
import { newId } from '../../../lib/ids.ts'
import { createBookings } from '../../../lib/models/booking.ts'
import { contextForFile, eventually, type TestContext } from '../../helpers/context.ts'
import { nextRun, offlineModels, runningJob } from '../../helpers/models.ts'
import { createReadOnlyRole, type ReadOnlyRole } from '../../helpers/read-only-role.ts'

let role: ReadOnlyRole
const context = contextForFile(test, async (isolation, onClose) => {
  role = await createReadOnlyRole(isolation.databaseUrl)
  onClose(role.remove)
  return { DATABASE_URL: role.databaseUrl }
})

const { signal } = new AbortController()
const messages = [{ role: 'user' as const, content: 'What is a closure?' }]

/** A log that tells when a settlement could not be written at first. */
function listening(context: TestContext) {
  const warnings: string[] = []
  const log = context.log.child({})
  log.warn = ((_fields: object, message: string) => warnings.push(message)) as unknown as typeof log.warn
  return { log, refused: () => warnings.includes('settlement could not be written, trying again') }
}

const stateOf = async (jobId: string) =>
  await context()
    .knex('model_calls as c')
    .join('model_call_shares as s', 's.call_id', 'c.id')
    .where('s.job_id', jobId)
    .pluck('c.state')

test.serial('an answer that comes while the database is read-only is settled when it is not, and used', async (t) => {
  const { log, refused } = listening(context())
  // Long enough for the database to be read-only before the answer comes, on a busy machine too.
  const { provider, tracker, models } = offlineModels({ ...context(), log }, { provider: { latencyMs: 10_000 } })
  const job = await runningJob(context())
  const asking = tracker.runInScope(job, () => models.chat({ step: 'answer', messages, signal }))
  await eventually(async () => (await stateOf(job.jobId)).length === 1)
  await role.freeze()
  await eventually(async () => refused())
  await role.thaw()

  const answer = await asking
  t.deepEqual(await stateOf(job.jobId), ['settled'])
  t.is(provider.invoice().length, 1)
  // A later run of the job, should this one be lost now, pays nothing.
  const later = await eventually(() => nextRun(context(), job).catch(() => undefined))
  const again = await tracker.runInScope(later, () => models.chat({ step: 'answer', messages, signal }))
  t.deepEqual([again.content, again.reused], [answer.content, true])
  t.is(provider.invoice().length, 1)
})

test.serial('a settlement outlives whatever the database may get over, and nothing else', async (t) => {
  const { knex, ledger, budgets, log } = context()
  await knex.raw('create sequence refusals')
  // Refuses the first two settlements of a call; what a sequence gave is not rolled back.
  const refuseWith = (code: string) =>
    knex.raw(`
      alter sequence refusals restart;
      create or replace function refuse() returns trigger language plpgsql as $$
      begin
        if nextval('refusals') <= 2 then raise exception 'no' using errcode = '${code}'; end if;
        return new;
      end $$;
      create or replace trigger refuse before update on model_calls for each row execute function refuse()`)
  const bookings = createBookings({ ledger, budgets, log })
  const settle = async (code: string) => {
    const job = await runningJob(context())
    const share = { scope: job, step: 'a', inputHash: newId(), inputBytes: 10 }
    const model = 'offline-chat-mini'
    const booking = await bookings.open({ id: newId(), kind: 'chat', model, maxOutputTokens: 50, shares: [share] })
    await refuseWith(code)
    const usage = { promptTokens: 5, cachedTokens: 0, completionTokens: 5, reasoningTokens: 0 }
    const ended = await booking.settle({ state: 'settled', usage, shares: [{ usage, response: 'paid' }] }).then(
      () => 'settled',
      (error: { code?: string }) => error.code
    )
    return [ended, ...(await stateOf(job.jobId))]
  }
  for (const code of [
    '25006',
    '40001',
    '53100',
    '53200',
    '53300',
    '55P03',
    '57014',
    '57P03',
    '58030',
    'XX001',
    '42501'
  ]) {
    t.deepEqual(await settle(code), ['settled', 'settled'], code)
  }
  for (const code of ['22P02', '23514', '54000']) t.deepEqual(await settle(code), [code, 'intended'], code)
})
