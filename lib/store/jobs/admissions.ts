import type { Knex } from 'knex'
import type { PicoUsd } from '../../money.ts'
import type { AiAction } from '../../actions/actions.ts'
import type { JobView } from '../../schemas/job.ts'
import type { JsonText } from '../../text/json-text.ts'
import { jsonInput } from '../json-input.ts'
import { toJobView } from './view.ts'

/** A job that asks to be let in. */
export type AdmissionRow = {
  id: string
  userId: string
  action: AiAction
  origin: 'user' | 'system'
  /** JSON */
  input: string
  maxAttempts: number
  idempotency?: { key: string; requestHash: string } | undefined
  decision?: { id: string; at: Date } | undefined
  threadId?: string | undefined
  retryOf?: string | undefined
  source?: { type: string; id: string } | undefined
  /** what it reserves of its user's budget; absent: not known, and only asked for when there is a budget */
  reservePico?: PicoUsd | undefined
}

export type AdmissionOutcome =
  /** the row is committed */
  | { state: 'accepted'; job: JobView }
  /** a row with its idempotency key, or a queued one for its source, is there already */
  | { state: 'taken' }
  /** the budget has no room for it */
  | { state: 'refused' }
  /** there is a budget, and what the job reserves is to be named */
  | { state: 'unsized' }
  /** nothing has been counted in this day or month yet: `openUsage` first */
  | { state: 'unopened' }
  /** it depends on what became of others: ask again */
  | { state: 'undecided' }

export type AdmissionStore = ReturnType<typeof createAdmissionStore>

const columns = {
  ids: 'uuid',
  users: 'uuid',
  actions: 'rate_limit_action',
  origins: 'text',
  inputs: 'text',
  tries: 'integer',
  retries: 'uuid',
  keys: 'text',
  hashes: 'text',
  kinds: 'text',
  sources: 'uuid',
  threads: 'uuid',
  decisions: 'uuid',
  decided: 'timestamptz',
  reserves: 'bigint'
}

/**
 * Admits jobs in their order, those of each user as far as the user's budget has room: one statement however many they
 * are, and nobody's fate depends on another user's.
 *
 * Of a user with a budget (`limited`) the row in `users` is locked first, as the foreign keys do anyway, then the rows of
 * `budget_usage`, users by id and days before months: everybody takes these locks in this order. What is read through a
 * lock is the newest there is. A job is let in while the sum of all before it and its own fits (`granted`); one that is
 * larger than what they leave cannot be let in whatever becomes of the others (`refused`). Jobs are inserted in the order
 * of their keys, so that two statements never wait for each other's.
 * @param input the expression that is stored as a job's input
 */
const admit = (input: string) => `
  with wanted as materialized (
    select * from unnest(${Object.entries(columns)
      .map(([name, type]) => `:${name}::${type}[]`)
      .join(', ')})
      with ordinality as w (id, user_id, action, origin, input, max_attempts, retry_of, idempotency_key, request_hash,
        source_type, source_id, thread_id, decision_id, decision_at, reserve, place)
  ), today as (
    select (now() at time zone 'utc')::date as day
  ), limited as materialized (
    select u.id as user_id, budget.daily_pico, budget.monthly_pico
    from users u cross join lateral (
      select daily_pico, monthly_pico from (
        select 1 as place, daily_pico, monthly_pico from budgets where user_id = u.id
        union all select 2, daily_pico, monthly_pico from default_budget
        union all select 3, :fallback::bigint, null) nearest
      order by place limit 1) budget
    where u.id in (select user_id from wanted where origin = 'user')
      and (budget.daily_pico is not null or budget.monthly_pico is not null)
    order by u.id for key share of u
  ), used as materialized (
    select b.user_id, b.period, b.reserved_pico + b.spent_pico as pico
    from today, budget_usage b
    where b.user_id in (select user_id from limited) and b.starts_on = date_trunc(b.period, today.day)::date
    order by b.user_id, b.period for update of b
  ), rooms as (
    select l.user_id, count(u.period) = 2 as is_open,
           least(l.daily_pico - coalesce(sum(u.pico) filter (where u.period = 'day'), 0),
                 l.monthly_pico - coalesce(sum(u.pico) filter (where u.period = 'month'), 0)) as room
    from limited l left join used u on u.user_id = l.user_id
    group by l.user_id, l.daily_pico, l.monthly_pico
  ), summed as (
    select w.*, r.user_id is not null as is_limited, r.is_open, r.room,
           sum(w.reserve) over (partition by r.user_id order by w.place) as sum_so_far
    from wanted w left join rooms r on r.user_id = w.user_id and w.origin = 'user'
  ), judged as materialized (
    select s.*, case
        when not is_limited then 'free'
        when reserve is null then 'unsized'
        when sum_so_far <= room then case when is_open then 'granted' else 'unopened' end
        when reserve > room - coalesce(
          max(sum_so_far) filter (where sum_so_far <= room) over (partition by user_id, is_limited), 0) then 'refused'
        else 'undecided' end as state
    from summed s
  ), inserted as (
    insert into jobs (id, user_id, action, origin, input, max_attempts, retry_of, idempotency_key, request_hash,
      idempotency_expires_at, source_type, source_id, thread_id, decision_id, decision_at, budgeted, reserved_pico,
      reserved_day)
    select j.id, j.user_id, j.action, j.origin, ${input}, j.max_attempts, j.retry_of, j.idempotency_key, j.request_hash,
      case when j.idempotency_key is not null then now() + interval '24 hours' end, j.source_type, j.source_id,
      j.thread_id, j.decision_id, j.decision_at, j.state = 'granted', case when j.state = 'granted' then j.reserve else 0 end,
      today.day
    from judged j, today where j.state in ('free', 'granted')
    order by j.user_id, j.idempotency_key, j.source_type, j.source_id, j.place
    on conflict do nothing
    returning id, user_id, created_at, budgeted, reserved_pico
  ), reserved as (
    update budget_usage b set reserved_pico = b.reserved_pico + r.pico
    from (select user_id, sum(reserved_pico) as pico from inserted where budgeted group by user_id) r, today
    where b.user_id = r.user_id and b.starts_on = date_trunc(b.period, today.day)::date
  )
  select j.state, i.created_at,
         (j.thread_id is not null and exists (
           select from jobs p where p.thread_id = j.thread_id and p.status in ('queued', 'active')
           union all select from wanted p where p.thread_id = j.thread_id and p.place < j.place)) as follows
  from judged j left join inserted i on i.id = j.id order by j.place`

type Judged = {
  state: 'free' | 'granted' | 'refused' | 'unsized' | 'unopened' | 'undecided'
  created_at: Date | null
  follows: boolean
}

/**
 * Lets jobs into the `jobs` table, reserving of their users' budgets what they may cost.
 * @param fallbackDailyPico the budget of a day of everybody who has no other; null: none
 */
export function createAdmissionStore({ knex, fallbackDailyPico }: { knex: Knex; fallbackDailyPico: PicoUsd | null }) {
  const bindingsOf = (rows: readonly AdmissionRow[]) => ({
    ids: rows.map(({ id }) => id),
    users: rows.map(({ userId }) => userId),
    actions: rows.map(({ action }) => action),
    origins: rows.map(({ origin }) => origin),
    inputs: rows.map(({ input }) => input),
    tries: rows.map(({ maxAttempts }) => maxAttempts),
    retries: rows.map(({ retryOf }) => retryOf ?? null),
    keys: rows.map(({ idempotency }) => idempotency?.key ?? null),
    hashes: rows.map(({ idempotency }) => idempotency?.requestHash ?? null),
    kinds: rows.map(({ source }) => source?.type ?? null),
    sources: rows.map(({ source }) => source?.id ?? null),
    threads: rows.map(({ threadId }) => threadId ?? null),
    decisions: rows.map(({ decision }) => decision?.id ?? null),
    decided: rows.map(({ decision }) => decision?.at ?? null),
    reserves: rows.map(({ reservePico }) => reservePico?.toString() ?? null),
    fallback: fallbackDailyPico?.toString() ?? null
  })

  return {
    /**
     * Admits all that can be admitted, in one statement that is a transaction of its own.
     * @returns what became of each, in their order
     */
    async admit(rows: readonly AdmissionRow[]): Promise<AdmissionOutcome[]> {
      const statement = knex.raw(admit('j.input::jsonb'), bindingsOf(rows))
      // Planned once for each connection.
      void (statement as unknown as Knex.QueryBuilder).options({ name: 'goals_admit' })
      const { rows: judged } = await statement
      return outcomesOf(rows, judged as Judged[])
    },

    /** The same for one whose input is large, in a transaction of the caller's. */
    async admitLarge(trx: Knex.Transaction, row: AdmissionRow, input: JsonText): Promise<AdmissionOutcome> {
      const large = await jsonInput(trx, row.id, input)
      const { rows: judged } = await trx.raw(admit(':large'), { ...bindingsOf([row]), large: large() })
      const [outcome] = outcomesOf([row], judged as Judged[])
      return outcome as AdmissionOutcome
    },

    /** Begins to count what is reserved and spent by a user in the current UTC day and month. */
    async openUsage(userId: string): Promise<void> {
      await knex.raw(
        `insert into budget_usage (user_id, period, starts_on)
         select :userId, period, date_trunc(period, now() at time zone 'utc')::date
         from unnest(array['day', 'month']) period order by period
         on conflict do nothing`,
        { userId }
      )
    }
  }
}

function outcomesOf(rows: readonly AdmissionRow[], judged: readonly Judged[]): AdmissionOutcome[] {
  // What was granted to a job that is not inserted is free again: whoever was refused for it asks once more.
  const isFree = ({ state, created_at: at }: Judged) => at === null && (state === 'granted' || state === 'unopened')
  const wronged = new Set(rows.filter((_, at) => isFree(judged[at] as Judged)).map(({ userId }) => userId))
  return rows.map((row, at) => {
    const { state, created_at: createdAt, follows } = judged[at] as Judged
    if (state === 'free' || state === 'granted') {
      return createdAt === null ? { state: 'taken' } : { state: 'accepted', job: viewOf(row, createdAt, follows) }
    }
    return state === 'refused' && wronged.has(row.userId) ? { state: 'undecided' } : { state }
  })
}

/** The job as it is accepted: when the answer goes out it may be running already. */
function viewOf({ id, action, origin, retryOf }: AdmissionRow, createdAt: Date, follows: boolean): JobView {
  return toJobView({
    id,
    action,
    origin,
    status: 'queued',
    progress: null,
    error: null,
    attempts: 0,
    retry_of: retryOf ?? null,
    created_at: createdAt,
    started_at: null,
    finished_at: null,
    wait_reason: follows ? 'thread' : 'worker',
    prompt_tokens: 0,
    cached_tokens: 0,
    completion_tokens: 0,
    reasoning_tokens: 0,
    cost_pico: '0'
  })
}
