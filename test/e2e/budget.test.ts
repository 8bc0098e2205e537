import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import type { JobView } from '../../lib/schemas/job.ts'
import { formatUsd, parseUsd } from '../../lib/money.ts'
import { kill } from '../../scripts/chaos/faults.ts'
import { pick, seeded } from '../../scripts/chaos/random.ts'
import { buildStage } from '../../scripts/chaos/stage.ts'
import { eventually } from '../helpers/context.ts'
import { caller } from '../helpers/platform.ts'
import { isolated } from '../helpers/services.ts'

/** 1,200 bytes at 0.02 USD a million tokens, a token being never less than a byte. */
const worstCase = parseUsd('0.000024')
const budget = 50n * worstCase

test('500 submissions at once against a budget for 50, with workers killed and Redis emptied, never cost more than it', async (t) => {
  t.timeout(240_000)
  const random = seeded(20)
  const spared = await isolated(t)
  const stage = await buildStage({ latencyMs: 200, step: async (_title, work) => await work(), spared })
  t.teardown(() => stage.stop())
  const { knex } = stage
  const url = () => pick(random, stage.apiUrls)
  const { body: person } = await caller(url())<{ token: string; user: { id: string } }>('POST', '/auth/register', {
    email: 'spender@example.test',
    password: 'a password of length',
    name: 'Spender'
  })
  const userId = person.user.id
  const set = await caller(url(), stage.adminKey)('PUT', `/admin/budgets/users/${userId}`, {
    dailyUsd: formatUsd(budget),
    monthlyUsd: null
  })
  t.is(set.status, 200)

  let submitting = true
  const storm = (async () => {
    while (submitting) {
      await delay(300 + random() * 900)
      if (random() < 0.5) kill(await stage.pidOf(pick(random, ['workers-1', 'workers-2'])), 'SIGKILL')
      else await stage.redis.flushall()
    }
  })()
  const text = (n: number) => `${n} ${'budget '.repeat(200)}`.slice(0, 1_200)
  const answers = await Promise.all(
    Array.from({ length: 500 }, async (_, n) => {
      const submit = () =>
        caller(url(), person.token)<JobView & { 'violated-policies'?: string[] }>(
          'POST',
          '/embeddings',
          { input: text(n) },
          { 'idempotency-key': `"budget-${n}"` }
        )
      // On a machine that is too slow for 500 at once some wait too long for a connection, or for one to be made: they
      // come back, under their key.
      for (;;) {
        const answer = await submit().catch((error: unknown) => {
          if (error instanceof TypeError) return undefined
          throw error
        })
        if (answer && answer.status !== 503) return answer
        await delay(1_000 * Number(answer?.headers.get('retry-after') ?? 1))
      }
    })
  )
  submitting = false
  await storm
  const accepted = answers.filter(({ status }) => status === 202)
  const refused = answers.filter(({ status }) => status === 429)
  t.is(accepted.length + refused.length, 500)
  for (const { body, headers } of refused) {
    t.deepEqual(body['violated-policies'], ['budget'])
    t.true(Number(headers.get('retry-after')) > 0)
  }

  await eventually(
    async () => (await knex('jobs').whereIn('status', ['queued', 'active']).where({ user_id: userId })).length === 0,
    120_000
  )
  // Of a call whose worker was killed nobody knows whether it was charged: it holds what another job would have had.
  const held = Number((await knex('model_calls as c').where({ state: 'unknown' }).count('* as n').first())?.n)
  t.true(accepted.length + held >= 50, `${accepted.length} were accepted, ${held} calls are unknown`)
  const invoiced = stage.provider.invoice().reduce((sum, { costUsd }) => sum + parseUsd(costUsd), 0n)
  t.true(invoiced > 0n)
  t.true(invoiced <= budget, `${formatUsd(invoiced)} of ${formatUsd(budget)}`)
  const usage = await knex('budget_usage').where({ user_id: userId })
  t.is(usage.length, 2)
  for (const { reserved_pico, spent_pico } of usage) {
    t.is(reserved_pico, '0')
    t.true(BigInt(spent_pico) <= budget)
    t.true(BigInt(spent_pico) >= invoiced, 'what is unknown is held at its worst case')
  }
})
