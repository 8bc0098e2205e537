import type { Knex } from 'knex'
import { notSetAside } from '../operations/dead-letters.ts'

const auditSums = [
  'requests',
  'allowed',
  'blocked',
  'degraded',
  'prompt_tokens',
  'completion_tokens',
  'total_tokens',
  'cost_pico'
]
const callSums = ['calls', 'prompt_tokens', 'completion_tokens', 'cost_pico']

/** Adds what was taken to one roll-up, by its key; `at` is its first moment of the unit in UTC. */
function addTo(table: string, key: Record<string, string>, sums: string[], where = 'true'): string {
  const names = Object.keys(key)
  return `
    ${table}_added as (
      insert into ${table} as f (${[...names, ...sums].join(', ')})
      select ${Object.values(key).join(', ')}, ${sums.map((name) => `sum(${name})`).join(', ')}
      from taken where ${where} group by ${names.map((_, index) => index + 1).join(', ')}
      on conflict (${names.join(', ')}) do update
        set ${sums.map((name) => `${name} = f.${name} + excluded.${name}`).join(', ')})`
}

const unit = (name: string) => `date_trunc('${name}', minute, 'UTC')`
/** The oldest of them, or only these. */
const take = (table: DeltaTable, these: boolean) =>
  `taken as (delete from ${table} where id ${these ? '= any (:ids::bigint[])' : `in (${oldest(table)})`} returning *)`
const oldest = (table: DeltaTable) =>
  `select d.id from ${table} d where ${notSetAside(rollUpKind(table), 'd.id')} order by d.id limit :limit`

/** One statement, so that what is taken from the deltas is in the roll-ups in the same instant for every reader. */
const foldAudits = (these: boolean) => `
  with ${take('audit_deltas', these)},
  ${addTo('audit_minutes', { minute: 'minute', action: 'action' }, auditSums)},
  ${addTo('audit_hours', { hour: unit('hour'), action: 'action' }, auditSums)},
  ${addTo('audit_user_hours', { user_id: 'user_id', hour: unit('hour'), action: 'action' }, auditSums, 'user_id is not null')},
  ${addTo('audit_user_days', { user_id: 'user_id', day: unit('day') }, auditSums, 'user_id is not null')}
  select count(*)::int as taken, coalesce(bool_or(requests < 0 or total_tokens < 0 or cost_pico < 0), false) as shrank
  from taken`

const foldCalls = (these: boolean) => `
  with ${take('ledger_deltas', these)},
  ${addTo('ledger_minutes', { minute: 'minute', model: 'model' }, callSums)},
  ${addTo('ledger_hours', { hour: unit('hour'), model: 'model' }, callSums)}
  select count(*)::int as taken, false as shrank from taken`

const rollUps = ['audit_minutes', 'audit_hours', 'audit_user_hours', 'audit_user_days']
const allZero = auditSums.map((name) => `${name} = 0`).join(' and ')

const statements = { audit_deltas: foldAudits, ledger_deltas: foldCalls } as const
export type DeltaTable = keyof typeof statements
export const deltaTables = Object.keys(statements) as DeltaTable[]

export const rollUpKind = (table: DeltaTable): string => `roll_ups.${table}`

export type RollUpStore = ReturnType<typeof createRollUpStore>

/** Folds the deltas that triggers leave behind (`migrations/061`, `099`) into the roll-ups. */
export function createRollUpStore({ knex }: { knex: Knex }) {
  async function run(trx: Knex.Transaction, table: DeltaTable, which: { limit: number } | { ids: string[] }) {
    const { rows } = await trx.raw(statements[table]('ids' in which), which)
    const [{ taken, shrank }] = rows as [{ taken: number; shrank: boolean }]
    if (shrank) for (const rollUp of rollUps) await trx.raw(`delete from ${rollUp} where ${allZero}`)
    return taken
  }

  /** One caller at a time works, whichever process it is in. @returns `undefined` when another does */
  async function alone<T>(work: (trx: Knex.Transaction) => Promise<T>): Promise<T | undefined> {
    return await knex.transaction(async (trx) => {
      const { rows } = await trx.raw(
        `select pg_try_advisory_xact_lock(hashtext(current_schema() || ' roll-ups')) as ours`
      )
      if (!rows[0].ours) return undefined
      await trx.raw(`set local jit = off`)
      return await work(trx)
    })
  }

  return {
    /**
     * Folds the oldest deltas of a table, `limit` at most.
     * @returns whether there may be more; `undefined` when another caller is at work
     */
    fold: (table: DeltaTable, limit: number): Promise<boolean | undefined> =>
      alone(async (trx) => (await run(trx, table, { limit })) === limit),

    /** Ids of the oldest deltas. */
    async oldest(table: DeltaTable, limit: number): Promise<string[]> {
      const { rows } = await knex.raw(oldest(table), { limit })
      return (rows as { id: string }[]).map(({ id }) => String(id))
    },

    /** Folds these deltas, or none when another caller is at work. */
    async foldThese(table: DeltaTable, ids: readonly string[]): Promise<void> {
      await alone((trx) => run(trx, table, { ids: [...ids] }))
    }
  }
}
