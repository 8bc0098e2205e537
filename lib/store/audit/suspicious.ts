import type { Knex } from 'knex'
import type { SuspiciousCode } from '../../schemas/suspicious.ts'
import { dayMs, type Range } from '../../time/time-ranges.ts'

/** The most that one user came to within any window of a rule. */
export type Burst = { userId: string; most: number }

/** A user on an address between two moments at most an hour apart: all that a sliding hour needs to know. */
export type Visit = { userId: string; ip: string; first: Date; last: Date }

/** A user's day of UTC, with the seven days before it. `null`: nothing was ever used before that day. */
export type UserDay = {
  userId: string
  day: Date
  tokens: number
  costUsd: number
  tokensOfWeekBefore: number | null
  costUsdOfWeekBefore: number | null
}

export type SuspiciousStore = ReturnType<typeof createSuspiciousStore>

/** Finds candidates for the rules of suspicious activity, and keeps what has been told. */
export function createSuspiciousStore({ knex }: { knex: Knex }) {
  /** Sliding windows that end at each row: `most` counts the rows in (end - window, end]. */
  async function bursts(
    rows: string,
    windowMs: number,
    { from, to }: Range,
    least: number,
    more = ''
  ): Promise<Burst[]> {
    const { rows: found } = await knex.raw(
      `select user_id, max(n)::int as most from (
         select user_id, count(*) over (
           partition by user_id order by created_at
           range between interval '${windowMs * 1_000 - 1} microseconds' preceding and current row) as n
         from ${rows} and created_at >= :from and created_at < :to ${more}) w
       group by user_id having max(n) >= :least`,
      { from, to, least }
    )
    return (found as { user_id: string; most: number }[]).map(({ user_id, most }) => ({ userId: user_id, most }))
  }

  return {
    /**
     * Users with so many refused requests within one minute. Of those that a row only counts no more is known than the
     * minute of the clock they fell into, so they count within that one.
     */
    blockedBursts: (range: Range, least: number) =>
      bursts(
        `rate_limit_audits where outcome = 'blocked' and user_id is not null`,
        60_000,
        range,
        least,
        `union all
         select user_id, sum(1 + repeats) from rate_limit_audits
         where outcome = 'blocked' and user_id is not null and created_at >= :from and created_at < :to
         group by user_id, date_trunc('minute', created_at, 'UTC') having max(repeats) > 0`
      ),

    /** Users with so many wrong passwords within ten minutes. */
    failedLogins: (range: Range, least: number) => bursts('failed_logins where true', 600_000, range, least),

    /** The part of a range that holds audits, or `undefined` when none of it does. */
    async extent({ from, to }: Range): Promise<Range | undefined> {
      const { rows } = await knex.raw(
        `select min(created_at) as first, max(created_at) as last from rate_limit_audits
         where created_at >= :from and created_at < :to`,
        { from, to }
      )
      const { first, last } = rows[0] as { first: Date | null; last: Date | null }
      return first && last ? { from: first, to: new Date(Math.min(last.getTime() + 1, to.getTime())) } : undefined
    },

    /**
     * Visits of users who came from at least `addresses` addresses, and of addresses that at least `users` users came
     * from: few of all. Addresses of IPv6 are not told apart here, because their networks are what counts.
     */
    async visits({ from, to }: Range, { addresses, users }: { addresses: number; users: number }): Promise<Visit[]> {
      const { rows } = await knex.raw(
        `with seen as materialized (
           select user_id, ip, min(created_at) as first, max(created_at) as last
           from rate_limit_audits
           where created_at >= :from and created_at < :to and user_id is not null and ip <> ''
           group by user_id, ip, date_trunc('hour', created_at, 'UTC')),
         grouped as (
           select *, case when ip ~* '^::ffff:[0-9.]+$' then substr(ip, 8) when strpos(ip, ':') > 0 then 'IPv6' else ip end
             as place from seen)
         select user_id, ip, first, last from grouped
         where user_id in (select user_id from seen group by user_id having count(distinct ip) >= :addresses)
           or place in (select place from grouped group by place having count(distinct user_id) >= :users)`,
        { from, to, addresses, users }
      )
      return (rows as { user_id: string; ip: string; first: Date; last: Date }[]).map(({ user_id, ...visit }) => ({
        userId: user_id,
        ...visit
      }))
    },

    /** Days that overlap the range on which a user used so many tokens, or so much money. */
    async largeDays({ from, to }: Range, least: { tokens: number; costUsd: number }): Promise<UserDay[]> {
      const { rows } = await knex.raw(
        `with parts as (
           select user_id, day, total_tokens as tokens, cost_pico from audit_user_days
           union all
           select user_id, date_trunc('day', minute, 'UTC'), total_tokens, cost_pico from audit_deltas
           where user_id is not null),
         large as (
           select user_id from parts where day >= :since and day < :to
           group by user_id, day having sum(tokens) >= :tokens or sum(cost_pico) >= :cost * 1e12),
         used as (
           select user_id, day, sum(tokens) as tokens, sum(cost_pico) / 1e12 as cost from parts
           where user_id in (select user_id from large) group by user_id, day),
         compared as (
           select *, coalesce(sum(tokens) over week, 0) as week_tokens, coalesce(sum(cost) over week, 0) as week_cost,
             coalesce(sum(tokens) over past, 0) as tokens_before, coalesce(sum(cost) over past, 0) as cost_before
           from used
           window week as (
               partition by user_id order by day range between interval '168 hours' preceding and interval '24 hours' preceding),
             past as (partition by user_id order by day rows between unbounded preceding and 1 preceding))
         select * from compared where day >= :since and day < :to and (tokens >= :tokens or cost >= :cost)`,
        {
          since: new Date(Math.floor(from.getTime() / dayMs) * dayMs),
          to,
          tokens: least.tokens,
          cost: least.costUsd
        }
      )
      return (rows as (Record<string, string> & { day: unknown })[]).map((row) => ({
        userId: row.user_id as string,
        day: row.day as Date,
        tokens: Number(row.tokens),
        costUsd: Number(row.cost),
        tokensOfWeekBefore: Number(row.tokens_before) > 0 ? Number(row.week_tokens) : null,
        costUsdOfWeekBefore: Number(row.cost_before) > 0 ? Number(row.week_cost) : null
      }))
    },

    /**
     * Says that somebody looks now, unless somebody did within `everyMs`.
     * @returns when was looked before (`null`: never), or `undefined` when it is not yet time
     */
    async beginLook(now: Date, everyMs: number): Promise<{ before: Date | null } | undefined> {
      const { rows } = await knex.raw(
        `update suspicious_watch w set looked_at = :now
         from (select looked_at from suspicious_watch where id = 1 for update) old
         where w.id = 1 and (old.looked_at is null or old.looked_at <= :latest)
         returning old.looked_at as before`,
        { now, latest: new Date(now.getTime() - everyMs) }
      )
      return rows[0] as { before: Date | null } | undefined
    },

    /**
     * Notes that a finding was seen.
     * @param since names the finding when it is a new one
     * @param goesOnFrom one that was last seen from then on is the same; `null`: a new one whenever `since` is another
     * @returns what names it, or `undefined` when the user is no more
     */
    async see(
      trx: Knex.Transaction,
      finding: { userId: string; code: SuspiciousCode; since: Date; now: Date; goesOnFrom: Date | null }
    ): Promise<Date | undefined> {
      const { rows } = await trx.raw(
        `insert into suspicious_findings as f (user_id, code, since, seen_at)
         select id, :code, :since, :now from users where id = :userId for key share
         on conflict (user_id, code) do update set seen_at = greatest(f.seen_at, excluded.seen_at),
           since = case when f.seen_at >= :goesOnFrom then f.since else excluded.since end
         returning since`,
        finding
      )
      return rows[0]?.since as Date | undefined
    }
  }
}
