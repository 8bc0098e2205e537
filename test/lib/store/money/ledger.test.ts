import test from 'ava'
import { newId } from '../../../../lib/ids.ts'
import type { UsageScope } from '../../../../lib/usage/tracker.ts'
import { contextForFile } from '../../../helpers/context.ts'
import { runningJob } from '../../../helpers/models.ts'

const context = contextForFile(test)

/** A call of the job that was intended while it ran and is settled now, with an answer. */
async function settled(scope: UsageScope, meanwhile: () => Promise<unknown>) {
  const { ledger, knex } = context()
  const id = newId()
  const model = context().config.chatModel
  const { priceId } = (await ledger.priceOf(model)) as { priceId: string }
  const share = { scope, step: 'answer', inputHash: 'hash', worstCasePico: 1n }
  await ledger.intend({ id, kind: 'chat', model, priceId, shares: [share] })
  await meanwhile()
  const usage = { promptTokens: 2, cachedTokens: 0, completionTokens: 1, reasoningTokens: 0, totalTokens: 3 }
  const part = { usage, costPico: 7n }
  await ledger.settle(id, {
    ...part,
    state: 'settled',
    latencyMs: 1,
    shares: [{ ...part, response: { content: 'what was said' } }]
  })
  return await knex('model_call_shares').where({ call_id: id }).first('cost_pico', 'response')
}

test('an answer that comes when its job has ended is paid for and not kept', async (t) => {
  const running = await runningJob(context())
  t.deepEqual(await settled(running, async () => undefined), {
    cost_pico: '7',
    response: { content: 'what was said' }
  })

  const cancelled = await runningJob(context())
  t.deepEqual(await settled(cancelled, () => context().lifecycle.cancelOpen(cancelled.jobId, 'cancelled by a test')), {
    cost_pico: '7',
    response: null
  })
})

test('an answer that comes when its person has gone is paid for and not kept', async (t) => {
  const scope = await runningJob(context())
  const actor = { id: scope.userId, role: 'user' as const, credential: { kind: 'session' as const, id: newId() } }
  const row = await settled(scope, () => context().auth.users.remove(actor, scope.userId))
  t.deepEqual(row, { cost_pico: '7', response: null })
})

test('an intent whose run is over counts as unknown after a while, and one whose run goes on does not', async (t) => {
  const { ledger, lifecycle, knex, config } = context()
  const { priceId } = (await ledger.priceOf(config.chatModel)) as { priceId: string }
  const intend = async (age: string) => {
    const scope = await runningJob(context())
    const id = newId()
    const share = { scope, step: 'answer', inputHash: 'hash', worstCasePico: 1n }
    await ledger.intend({ id, kind: 'chat', model: config.chatModel, priceId, shares: [share] })
    await knex('model_calls')
      .where({ id })
      .update({ created_at: knex.raw(`now() - ?::interval`, [age]) })
    return { id, jobId: scope.jobId }
  }
  const [running, over, fresh] = [await intend('1 hour'), await intend('31 seconds'), await intend('1 second')]
  for (const { jobId } of [over, fresh]) t.true(await lifecycle.cancelOpen(jobId, 'cancelled by a test'))
  await ledger.sweep(30_000, 100)
  const stateOf = async ({ id }: { id: string }) => (await knex('model_calls').where({ id }).first('state'))?.state
  t.deepEqual([await stateOf(running), await stateOf(over), await stateOf(fresh)], ['intended', 'unknown', 'intended'])
})
