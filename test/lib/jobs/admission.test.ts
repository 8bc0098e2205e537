import test from 'ava'
import fc from 'fast-check'
import { AppError } from '../../../lib/errors/app-error.ts'
import { newId } from '../../../lib/ids.ts'
import type { Admission } from '../../../lib/jobs/admit.ts'
import { type AdmissionRow, createAdmissionStore } from '../../../lib/store/jobs/admissions.ts'
import { contextForFile, newUser } from '../../helpers/context.ts'

const context = contextForFile(test)

/** A million bytes cost what a million tokens do: 0.02 USD. */
const byteCost = 20_000n

const embed = (userId: string, input: unknown, rest: Partial<Admission> = {}) =>
  context().jobs.admit({ actor: { id: userId }, action: 'embedding_generation', input, ...rest })

async function userWithBudget(dailyPico: bigint | null, monthlyPico: bigint | null = null) {
  const userId = await newUser(context())
  await context().budgetStore.setBudget(userId, { dailyPico, monthlyPico })
  return userId
}

async function usageOf(userId: string) {
  const rows = await context().knex('budget_usage').where({ user_id: userId }).orderBy('period')
  return rows.map((row) => BigInt(row.reserved_pico))
}

// Alone: whoever is in a batch with one that cannot be stored is written in several.
test.serial(
  'a hundred people’s submissions at once are a few statements, and each answer is what is read afterwards',
  async (t) => {
    const { knex, jobStore } = context()
    const users = await Promise.all(Array.from({ length: 100 }, () => newUser(context())))
    const statements: string[] = []
    const note = ({ sql, bindings }: { sql: string; bindings: unknown[] }) => {
      const named = bindings?.flat() ?? []
      if (users.some((id) => named.includes(id))) statements.push(sql)
    }
    knex.on('query', note)
    const admitted = await Promise.all(users.map((userId, n) => embed(userId, { input: `text ${n}` })))
    knex.off('query', note)
    t.true(statements.length > 0 && statements.length <= 4, `${statements.length} statements`)
    for (const { job, replayed } of admitted) {
      t.false(replayed)
      t.deepEqual(await jobStore.find(job.id), job)
    }
    t.is((await knex('budget_usage').whereIn('user_id', users)).length, 0)
  }
)

test('one that cannot be stored fails alone', async (t) => {
  const userId = await newUser(context())
  const inputs = ['a', 'b', '\u0000', 'c', 'd']
  const results = await Promise.allSettled(inputs.map((input) => embed(userId, { input })))
  t.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled']
  )
})

test('of equal keys in one batch one makes a job, reserves its money once, and the others are answered with it', async (t) => {
  const userId = await userWithBudget(10n * byteCost)
  const idempotency = { key: 'k', requestHash: 'h' }
  const same = await Promise.all(Array.from({ length: 8 }, () => embed(userId, { input: '12345' }, { idempotency })))
  t.is(new Set(same.map(({ job }) => job.id)).size, 1)
  t.is(same.filter(({ replayed }) => !replayed).length, 1)
  t.deepEqual(await usageOf(userId), [5n * byteCost, 5n * byteCost])
  // The budget has room for this one, also when it comes together with seven that make nothing.
  const results = await Promise.all([
    ...Array.from({ length: 7 }, () => embed(userId, { input: '12345' }, { idempotency })),
    embed(userId, { input: '54321' })
  ])
  t.deepEqual(
    results.map(({ replayed }) => replayed),
    [true, true, true, true, true, true, true, false]
  )
  // and a repetition is answered also when there is no room any more
  t.true((await embed(userId, { input: '12345' }, { idempotency })).replayed)
})

test('turns of one thread that come together know which of them waits for another', async (t) => {
  const userId = await newUser(context())
  const thread = newId()
  const turns = await Promise.all(
    [thread, thread, undefined].map((threadId) => embed(userId, { input: 'x' }, threadId ? { threadId } : {}))
  )
  t.deepEqual(
    turns.map(({ job }) => job.waitingFor?.reason),
    ['worker', 'thread', 'worker']
  )
})

test('a job that refers to a record reserves for the record’s size', async (t) => {
  const { knex } = context()
  const userId = await userWithBudget(1_000n * byteCost)
  const id = newId()
  await knex('goals').insert({ id, user_id: userId, title: 'g'.repeat(100) })
  await embed(userId, { source: { type: 'goal', id } })
  const [day] = await usageOf(userId)
  t.true((day as bigint) >= 100n * byteCost)
})

test('a day that has room keeps nothing when the month has none, whoever else is in the batch', async (t) => {
  const [poor, rich, free] = [
    await userWithBudget(null, 9n * byteCost),
    await userWithBudget(9n),
    await newUser(context())
  ]
  const results = await Promise.allSettled([poor, poor, rich, free].map((userId) => embed(userId, { input: '12345' })))
  const [first, second, ...others] = results.map(({ status }) => status === 'fulfilled')
  t.not(first, second)
  t.deepEqual(others, [false, true])
  t.deepEqual(await usageOf(poor), [5n * byteCost, 5n * byteCost])
  t.deepEqual(await usageOf(rich), [])
})

/** What one after another would come to. */
function oneByOne(limit: bigint, amounts: number[]): boolean[] {
  let left = limit
  return amounts.map((amount) => {
    if (BigInt(amount) > left) return false
    left -= BigInt(amount)
    return true
  })
}

test('a batch admits what its members would have been admitted one by one, and counts it to the last part', async (t) => {
  const { knex } = context()
  const store = createAdmissionStore({ knex, fallbackDailyPico: null })
  const row = (userId: string, amount: number): AdmissionRow => ({
    id: newId(),
    userId,
    action: 'embedding_generation',
    origin: 'user',
    input: '{}',
    maxAttempts: 1,
    reservePico: BigInt(amount)
  })
  const decide = async (rows: AdmissionRow[]): Promise<string[]> => {
    const outcomes = (await store.admit(rows)).map(({ state }) => state)
    const again = rows.filter((_, at) => outcomes[at] === 'undecided' || outcomes[at] === 'unopened')
    for (const { userId } of again) await store.openUsage(userId)
    const second = again.length > 0 ? await decide(again) : []
    return outcomes.map((state) => (state === 'undecided' || state === 'unopened' ? (second.shift() as string) : state))
  }
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ daily: fc.nat(100), monthly: fc.nat(100) }), { minLength: 1, maxLength: 3 }),
      fc.array(fc.record({ who: fc.nat(2), amount: fc.nat(40) }), { minLength: 1, maxLength: 24 }),
      async (budgets, wanted) => {
        const users = await Promise.all(
          budgets.map(({ daily, monthly }) => userWithBudget(BigInt(daily), BigInt(monthly)))
        )
        const rows = wanted.map(({ who, amount }) => row(users[who % users.length] as string, amount))
        const states = await decide(rows)
        for (const [index, userId] of users.entries()) {
          const { daily, monthly } = budgets[index] as { daily: number; monthly: number }
          const own = rows.flatMap((one, at) =>
            one.userId === userId ? [{ amount: Number(one.reservePico), state: states[at] }] : []
          )
          const expected = oneByOne(
            BigInt(Math.min(daily, monthly)),
            own.map(({ amount }) => amount)
          )
          t.deepEqual(
            own.map(({ state }) => state === 'accepted'),
            expected
          )
          const sum = own.reduce((total, { amount }, at) => total + (expected[at] ? amount : 0), 0)
          const counted = await usageOf(userId)
          t.true(counted.every((pico) => pico === BigInt(sum)))
          t.is(
            (await knex('jobs').where({ user_id: userId, budgeted: true }).sum('reserved_pico as sum'))[0]?.sum ?? '0',
            String(sum)
          )
        }
      }
    ),
    { numRuns: 40 }
  )
})

test('many at once from several processes spend a budget to the last job that fits and never beyond', async (t) => {
  const { knex } = context()
  const userId = await userWithBudget(100n * byteCost)
  const others = await Promise.all(Array.from({ length: 3 }, () => userWithBudget(7n * byteCost)))
  const second = createAdmissionStore({ knex, fallbackDailyPico: null })
  const foreign = async (n: number) => {
    const row: AdmissionRow = {
      id: newId(),
      userId,
      action: 'embedding_generation',
      origin: 'user',
      input: '{}',
      maxAttempts: 1,
      reservePico: BigInt(1 + (n % 3)) * byteCost
    }
    for (;;) {
      const [outcome] = await second.admit([row])
      if (outcome?.state === 'unopened') await second.openUsage(userId)
      else if (outcome?.state !== 'undecided') return outcome?.state === 'accepted'
    }
  }
  const own = async (id: string, n: number) =>
    await embed(id, { input: 'x'.repeat(1 + (n % 3)) }).then(
      () => true,
      (error: unknown) => {
        if (error instanceof AppError && error.code === 'budget_exceeded') return false
        throw error
      }
    )
  const all = await Promise.all(
    Array.from({ length: 300 }, (_, n) =>
      n % 4 === 3 ? foreign(n) : own(n % 4 === 0 ? (others[n % 3] as string) : userId, n)
    )
  )
  t.true(all.includes(false))
  for (const [id, limit] of [[userId, 100n], ...others.map((id) => [id, 7n])] as [string, bigint][]) {
    const [day, month] = await usageOf(id)
    const [{ sum }] = (await knex('jobs').where({ user_id: id }).sum('reserved_pico as sum')) as [{ sum: string }]
    t.is(day, BigInt(sum))
    t.is(month, BigInt(sum))
    t.true((day as bigint) <= limit * byteCost)
    t.true((day as bigint) > (limit - 3n) * byteCost, 'what is left pays for none of them')
  }
})
