import type { Knex } from 'knex'
import { type PicoUsd, parseUsd } from '../../money.ts'

export type Budget = { dailyPico: PicoUsd | null; monthlyPico: PicoUsd | null }

/** A job that has ended, and what is to become of its reservation. */
export type SettledJob = {
  id: string
  userId: string
  reservedPico: PicoUsd
  /** the UTC day that both belong to */
  reservedDay: string
  spentPico: PicoUsd
}

export type BudgetStore = ReturnType<typeof createBudgetStore>

type BudgetRow = { daily_pico: string | null; monthly_pico: string | null }

const pico = (value: string | null): PicoUsd | null => (value === null ? null : BigInt(value))

const toBudget = (row: BudgetRow): Budget => ({ dailyPico: pico(row.daily_pico), monthlyPico: pico(row.monthly_pico) })

/** What a call is held to cost: what it did cost, or its worst case as long as nobody knows. */
export const heldCost = `case when c.state in ('settled', 'estimated') then s.cost_pico else s.worst_case_pico end`

/**
 * Budgets of users and the default, and what is reserved and spent of them in each UTC day and month.
 * Locks are taken in the order job, shares, usage rows.
 */
export function createBudgetStore({ knex, fallbackDailyPico }: { knex: Knex; fallbackDailyPico?: PicoUsd | null }) {
  /** What holds for everyone as long as no administrator has said anything. */
  const fallback: Budget = { dailyPico: fallbackDailyPico ?? null, monthlyPico: null }

  const store = {
    /** The user's own budget, else the administrators' default, else the configured one. Both parts null: none. */
    async budgetOf(userId: string, connection: Knex | Knex.Transaction = knex): Promise<Budget> {
      const { rows } = await connection.raw(
        `select daily_pico, monthly_pico from (
           select 1 as place, daily_pico, monthly_pico from budgets where user_id = ?
           union all select 2, daily_pico, monthly_pico from default_budget) b
         order by place limit 1`,
        [userId]
      )
      return rows[0] ? toBudget(rows[0] as BudgetRow) : fallback
    },

    /** The administrators' default, else the configured one. */
    async defaultBudget(): Promise<Budget> {
      const row = await knex('default_budget').where({ id: 1 }).first()
      return row ? toBudget(row as BudgetRow) : fallback
    },

    async setBudget(userId: string, budget: Budget): Promise<void> {
      await knex('budgets')
        .insert({ user_id: userId, ...columns(budget), updated_at: knex.fn.now() })
        .onConflict('user_id')
        .merge()
    },

    /** The default holds for the user again. */
    async removeBudget(userId: string): Promise<void> {
      await knex('budgets').where({ user_id: userId }).delete()
    },

    async setDefaultBudget(budget: Budget): Promise<void> {
      await knex('default_budget')
        .insert({ id: 1, ...columns(budget), updated_at: knex.fn.now() })
        .onConflict('id')
        .merge()
    },

    /** The configured default holds again. */
    async removeDefaultBudget(): Promise<void> {
      await knex('default_budget').delete()
    },

    /** Reserved and spent in the current UTC day and month. */
    async usedBy(userId: string): Promise<{ dayPico: PicoUsd; monthPico: PicoUsd }> {
      const rows = await knex('budget_usage')
        .where({ user_id: userId })
        .whereRaw(`starts_on = date_trunc(period, now() at time zone 'utc')::date`)
        .select('period', knex.raw('(reserved_pico + spent_pico)::text as used'))
      const used = (period: string) => BigInt(rows.find((row) => row.period === period)?.used ?? 0)
      return { dayPico: used('day'), monthPico: used('month') }
    },

    /**
     * Reserves `amount` for a job, if the day's and the month's budgets have room for it: those of its first reservation,
     * which for jobs of the platform is their start, days after their admission if there was no room until then.
     * PostgreSQL decides: the rows are updated under a condition and stay locked until the transaction ends.
     * @returns false when there is no room; the caller's transaction must then be rolled back or go without
     */
    async reserve(trx: Knex.Transaction, jobId: string, budget: Budget, amount: PicoUsd): Promise<boolean> {
      const job = await trx('jobs')
        .where({ id: jobId })
        .forUpdate()
        .first(
          'user_id',
          trx.raw(`(case when budgeted then reserved_day else (now() at time zone 'utc')::date end)::text as day`)
        )
      if (!job) return false
      for (const [period, limit] of [
        ['day', budget.dailyPico],
        ['month', budget.monthlyPico]
      ] as const) {
        const { rows } = await trx.raw(
          `insert into budget_usage as b (user_id, period, starts_on, reserved_pico)
           select :userId, :period, date_trunc(:period, :day::date)::date, :amount
           where :limit::bigint is null or :amount <= :limit::bigint
           on conflict (user_id, period, starts_on) do update set reserved_pico = b.reserved_pico + :amount
             where :limit::bigint is null or b.reserved_pico + b.spent_pico + :amount <= :limit::bigint
           returning 1`,
          {
            userId: job.user_id,
            period,
            day: job.day,
            amount: amount.toString(),
            limit: limit === null ? null : limit.toString()
          }
        )
        if (rows.length === 0) return false
      }
      await trx('jobs')
        .where({ id: jobId })
        .update({
          budgeted: true,
          reserved_day: job.day,
          reserved_pico: trx.raw('reserved_pico + ?', [amount.toString()])
        })
      return true
    },

    /**
     * What a job may still spend: of its reservation, and of the purse its request named (`maxCostUsd`).
     * Locks the job's row, so that calls of one job made at once cannot both have the same room.
     * @returns `undefined` when neither limits it; `raisable` when only the reservation does
     */
    async room(trx: Knex.Transaction, jobId: string): Promise<{ pico: PicoUsd; raisable: boolean } | undefined> {
      const job = await trx('jobs')
        .where({ id: jobId })
        .forUpdate()
        .first('budgeted', 'reserved_pico', trx.raw(`input->>'maxCostUsd' as purse`))
      if (!job || (!job.budgeted && job.purse === null)) return undefined
      const { rows } = await trx.raw(
        `select coalesce(sum(${heldCost}), 0)::text as held
         from model_call_shares s join model_calls c on c.id = s.call_id where s.job_id = ?`,
        [jobId]
      )
      const held = BigInt(rows[0].held)
      const purse = job.purse === null ? undefined : parseUsd(Number(job.purse)) - held
      const reserved = job.budgeted ? BigInt(job.reserved_pico) - held : undefined
      if (reserved === undefined) return { pico: purse as PicoUsd, raisable: false }
      if (purse !== undefined && purse <= reserved) return { pico: purse, raisable: false }
      return { pico: reserved, raisable: purse === undefined }
    },

    /** At the end of jobs: what their calls cost becomes spent, and nothing stays reserved. */
    async settleJobs(trx: Knex.Transaction, jobs: readonly SettledJob[]): Promise<void> {
      const reserving = jobs.filter(({ reservedPico }) => reservedPico !== 0n)
      if (reserving.length > 0) {
        await trx.raw('update jobs set reserved_pico = 0 where id = any(?::uuid[])', [reserving.map(({ id }) => id)])
      }
      await addUsage(
        trx,
        jobs.map(({ userId, reservedDay, reservedPico, spentPico }) => ({
          userId,
          day: reservedDay,
          reserved: -reservedPico,
          spent: spentPico
        }))
      )
    },

    /** A call that was settled after its job had ended: the difference to what was counted is spent, or given back. */
    async correctSettled(trx: Knex.Transaction, callId: string): Promise<void> {
      const { rows } = await trx.raw(
        `with late as (
           select s.call_id, s.ordinal, s.job_id, s.counted_pico, ${heldCost} as actual
           from model_call_shares s join model_calls c on c.id = s.call_id
           where s.call_id = ? and s.counted_pico is not null for update of s),
         corrected as (
           update model_call_shares s set counted_pico = late.actual from late
           where s.call_id = late.call_id and s.ordinal = late.ordinal and late.actual <> late.counted_pico
           returning late.job_id, late.actual - late.counted_pico as difference)
         select j.user_id, j.reserved_day::text as day, sum(difference)::text as difference
         from corrected join jobs j on j.id = corrected.job_id
         group by j.user_id, j.reserved_day order by j.user_id`,
        [callId]
      )
      await addUsage(
        trx,
        (rows as { user_id: string; day: string; difference: string }[]).map(({ user_id, day, difference }) => ({
          userId: user_id,
          day,
          reserved: 0n,
          spent: BigInt(difference)
        }))
      )
    }
  }

  /** Each row once, however many add to it, and rows in order of user, day, month: one order of locks, as in `reserve`. */
  async function addUsage(
    trx: Knex.Transaction,
    changes: { userId: string; day: string; reserved: PicoUsd; spent: PicoUsd }[]
  ): Promise<void> {
    const real = changes.filter(({ reserved, spent }) => reserved !== 0n || spent !== 0n)
    if (real.length === 0) return
    await trx.raw(
      `insert into budget_usage as b (user_id, period, starts_on, reserved_pico, spent_pico)
       select c.user_id, p.period, date_trunc(p.period, c.day)::date, sum(c.reserved), sum(c.spent)
       from unnest(:users::uuid[], :days::date[], :reserved::bigint[], :spent::bigint[])
         as c (user_id, day, reserved, spent)
       cross join (values ('day'), ('month')) as p (period)
       group by 1, 2, 3 order by 1, 2, 3
       on conflict (user_id, period, starts_on) do update
         set reserved_pico = b.reserved_pico + excluded.reserved_pico, spent_pico = b.spent_pico + excluded.spent_pico`,
      {
        users: real.map(({ userId }) => userId),
        days: real.map(({ day }) => day),
        reserved: real.map(({ reserved }) => reserved.toString()),
        spent: real.map(({ spent }) => spent.toString())
      }
    )
  }
  return store
}

const columns = ({ dailyPico, monthlyPico }: Budget) => ({
  daily_pico: dailyPico?.toString() ?? null,
  monthly_pico: monthlyPico?.toString() ?? null
})
